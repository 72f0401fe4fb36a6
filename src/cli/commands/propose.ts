import * as z from 'zod';
import { KarpathyError } from '../../errors.js';
import { editFromWritten } from '../../services/personEdit.js';
import { promptPreview, startProposal } from '../../services/propose.js';
import type { Look } from '../../text/look.js';
import { showPreflight } from '../beforeRun.js';
import { command } from '../command.js';
import { readInput } from '../files.js';
import { flag } from '../inputs.js';
import { standingAnswer } from '../outcome.js';
import { runInForeground } from '../foreground.js';

export const proposeCommand = command({
  path: 'propose',
  group: 'Improve',
  summary: 'propose one change, by the model or in your own words, and test it',
  usage: '[EDIT] [options]',
  details:
    'EDIT is one of --rewrite, --insert-after, --delete and --from; without one the model writes the change, from the scenarios that fail. `sentences` shows the numbers. The file is not touched.',
  arguments: [{ name: '[text]', summary: 'the new sentence of --rewrite or --insert-after' }],
  options: [
    { flags: '--rewrite <n>', summary: 'replace sentence N by the text' },
    { flags: '--insert-after <n>', summary: 'put the text after sentence N; 0 is the top' },
    { flags: '--delete <n>', summary: 'remove sentence N' },
    { flags: '--from <file>', summary: 'the whole file with one sentence changed; - reads standard input' },
    { flags: '--text <text>', summary: 'the same as the text after the number' },
    { flags: '--rationale <text>', summary: 'why; shown with the change' },
    { flags: '--no-evaluate', summary: 'only propose; `evaluate ID` tests it later' },
    { flags: '--underpowered', summary: 'test although the suite is too small to answer; recorded with the result' },
    { flags: '--show-prompt', summary: 'show what the model would be sent, and send nothing' },
  ],
  examples: [
    'propose',
    "propose --rewrite 3 'Ask before you delete anything.'",
    "propose --insert-after 0 'Answer in the language of the question.' --no-evaluate",
    'propose --from SOUL.new.md',
    'propose --show-prompt',
  ],
  input: z.object({
    text: z.string().optional(),
    rewrite: z.string().optional(),
    insertAfter: z.string().optional(),
    delete: z.string().optional(),
    from: z.string().optional(),
    rationale: z.string().optional(),
    evaluate: z.boolean().default(true),
    underpowered: flag,
    showPrompt: flag,
  }),
  async run(session, { from, evaluate, underpowered, showPrompt, ...written }) {
    const { ctx, io } = session;
    if (showPrompt) {
      const messages = promptPreview(ctx);
      return { data: { messages }, text: (look) => promptText(look, messages) };
    }
    const edit = editFromWritten(written);
    if (edit !== null && from !== undefined) {
      throw new KarpathyError('bad_usage', 'Give either --from FILE or one edit, not both.');
    }
    const source =
      from !== undefined
        ? ({ by: 'person', candidateText: await readInput(io, from), ...because(written.rationale) } as const)
        : edit !== null
          ? ({ by: 'person', edit } as const)
          : ({ by: 'model' } as const);
    const { experimentId, jobId, warnings } = await startProposal(ctx, source, { evaluate, underpowered });
    if (warnings.length > 0)
      session.show(warnings.map((warning) => `${session.look.colors.yellow('!')} ${warning}`).join('\n'));
    if (jobId !== null) {
      if (evaluate) await showPreflight(session, source.by === 'person' ? { experimentId } : {});
      await runInForeground(session, jobId);
    }
    return standingAnswer(ctx, experimentId, { done: 'Proposed.', extra: { warnings } });
  },
});

function because(rationale: string | undefined): { rationale?: string } {
  return rationale === undefined ? {} : { rationale };
}

function promptText(look: Look, messages: ReturnType<typeof promptPreview>): string {
  return messages.map(({ role, content }) => `${look.colors.bold(`[${role}]`)}\n${content}`).join('\n\n');
}
