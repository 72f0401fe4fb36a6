import { resolve } from 'node:path';
import * as z from 'zod';
import { snapshotExport } from '../../services/snapshotExport.js';
import { field } from '../../text/look.js';
import { command } from '../command.js';
import { experimentId } from '../inputs.js';

export const snapshotCommand = command({
  path: 'snapshot',
  group: 'Look',
  summary: 'the exact bytes from before a change, to a file',
  details: 'The same bytes lie as a plain file in the data directory, so `cp` works with everything else gone.',
  arguments: [{ name: '<id>', summary: 'number of the experiment' }],
  options: [
    {
      flags: '--kind <kind>',
      summary: 'prior (before the change), applied, or person (an edit that a restore replaced)',
    },
    { flags: '--out <file>', summary: 'write a new file with these bytes' },
  ],
  examples: ['snapshot 7', 'snapshot 7 --out SOUL.before.md'],
  input: z.object({
    id: experimentId,
    kind: z.enum(['prior', 'applied', 'person'], { error: 'must be prior, applied or person' }).default('prior'),
    out: z.string().min(1).optional(),
  }),
  async run({ ctx, io }, { id, kind, out }) {
    const toFile = out === undefined ? undefined : resolve(io.cwd ?? process.cwd(), out);
    const { bytes, ...snapshot } = snapshotExport(ctx, id, { kind, ...(toFile === undefined ? {} : { toFile }) });
    return {
      data: { ...snapshot, size: bytes.length },
      text: (look) =>
        [
          `Experiment ${id}, ${kind}: ${bytes.length} bytes`,
          field(look, 'sha256', snapshot.sha256),
          ...(snapshot.plainPath === null ? [] : [field(look, 'plain file', snapshot.plainPath)]),
          ...(snapshot.writtenTo === null ? [] : [field(look, 'written to', snapshot.writtenTo)]),
        ].join('\n'),
    };
  },
});
