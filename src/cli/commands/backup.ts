import { resolve } from 'node:path';
import * as z from 'zod';
import { backup } from '../../services/backup.js';
import { field } from '../../text/look.js';
import { command } from '../command.js';

export const backupCommand = command({
  path: 'backup',
  group: 'Run',
  summary: 'copy the controller DB of all profiles into a file, while others go on writing',
  details: 'Without a file it goes into `db-backups` in the data directory. A file that exists is not touched.',
  arguments: [{ name: '[file]', summary: 'a file that does not exist yet' }],
  // A copy must be possible whatever state things are in, and while somebody else writes.
  bare: true,
  examples: ['backup', 'backup /mnt/usb/karpathy.db'],
  input: z.object({ file: z.string().min(1, 'must not be empty').optional() }),
  async run({ ctx, io }, { file }) {
    const copied = backup(ctx, file === undefined ? {} : { toFile: resolve(io.cwd ?? process.cwd(), file) });
    return {
      data: copied,
      text: (look) =>
        [
          `${look.colors.green('✓')} The controller DB of all profiles is in ${copied.path} (${copied.bytes} bytes).`,
          field(look, 'put back', `restore '${copied.path}'`),
        ].join('\n'),
    };
  },
});
