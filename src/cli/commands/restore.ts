import { resolve } from 'node:path';
import * as z from 'zod';
import { restore } from '../../services/backup.js';
import { field } from '../../text/look.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { flag } from '../inputs.js';

export const restoreCommand = command({
  path: 'restore',
  group: 'Run',
  summary: 'put a backup in the place of the controller DB; what was there is kept',
  details:
    'Of all profiles: their experiments, scenarios, sessions and costs are as they were when the backup was made. The target files are not touched. Works when the controller DB is damaged or gone; refused while a job runs.',
  arguments: [{ name: '<file>', summary: 'a file that `backup` wrote' }],
  options: [{ flags: '--yes', summary: 'do not ask on the terminal' }],
  examples: ['restore /mnt/usb/karpathy.db', 'restore karpathy.db --yes'],
  withoutTerminal: 'Add --yes to skip the question.',
  bare: true,
  withoutDatabase: true,
  input: z.object({ file: z.string().min(1, 'must not be empty'), yes: flag }),
  async run(session, { file, yes }) {
    const { ctx, io } = session;
    const from = resolve(io.cwd ?? process.cwd(), file);
    await agree(session, {
      what: 'replacing the controller DB',
      question: `Put ${from} in the place of the controller DB of all profiles?`,
      preview: `${ctx.paths.dbPath} gets the content of ${from}; what is there now is kept beside it.`,
      yes,
    });
    const restored = restore(ctx, from);
    return {
      data: { ...restored, from, path: ctx.paths.dbPath },
      text: (look) =>
        [
          `${look.colors.green('✓')} ${ctx.paths.dbPath} holds the backup.`,
          ...(restored.keptAs === null ? [] : [field(look, 'kept', restored.keptAs)]),
          field(look, 'next', 'doctor'),
        ].join('\n'),
    };
  },
});
