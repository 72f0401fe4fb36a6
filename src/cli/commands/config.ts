import { join } from 'node:path';
import * as z from 'zod';
import { configView } from '../../services/configView.js';
import { configText } from '../../text/config.js';
import { command } from '../command.js';

export const configCommand = command({
  path: 'config',
  group: 'Set up',
  summary: 'every setting with its value and where it came from',
  examples: ['config', '--json config'],
  input: z.object({}),
  async run({ ctx }) {
    const settings = configView(ctx);
    const configFile = join(ctx.paths.root, 'config.yaml');
    return { data: { settings }, text: (look) => configText(look, settings, configFile) };
  },
});
