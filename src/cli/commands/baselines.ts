import * as z from 'zod';
import { baselinesView } from '../../services/recordsView.js';
import { baselinesText } from '../../text/records.js';
import { command } from '../command.js';

export const baselinesCommand = command({
  path: 'baselines',
  group: 'Look',
  summary: 'what each verified change was proven with',
  examples: ['baselines'],
  input: z.object({}),
  async run({ ctx }) {
    const baselines = baselinesView(ctx);
    return { data: { baselines }, text: (look) => baselinesText(look, baselines) };
  },
});
