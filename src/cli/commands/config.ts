import { z } from 'zod';
import { configView } from '../../services/configView.js';
import { table } from '../../text/table.js';
import { command } from '../command.js';

export const configCommand = command({
  path: 'config',
  group: 'Set up',
  summary: 'every setting with its value and where it came from',
  examples: ['config', '--json config'],
  input: z.object({}),
  async run({ ctx }) {
    const settings = configView(ctx);
    const rows = settings.map(({ path, value, source }) => [
      path,
      source,
      value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value),
    ]);
    return { data: { settings }, text: (look) => table(look, ['setting', 'from', 'value'], rows) };
  },
});
