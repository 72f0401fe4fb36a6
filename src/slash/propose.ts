import { launchWork } from '../services/launchWork.js';
import { editFromWritten } from '../services/personEdit.js';
import { startProposal } from '../services/propose.js';
import { done, type SlashRun } from './answer.js';

/** Enqueues the proposal and starts its executor in the background; the answer says how to watch. */
export async function proposeFromChat(run: SlashRun): Promise<string> {
  const { ctx, call } = run;
  const text = (key: string): string | undefined => {
    const value = call.options[key];
    return typeof value === 'string' ? value : undefined;
  };
  const edit = editFromWritten({
    rewrite: text('rewrite'),
    insertAfter: text('insert-after'),
    delete: text('delete'),
    text: call.words.join(' '),
  });
  const { experimentId, jobId, warnings } = await startProposal(
    ctx,
    edit === null ? { by: 'model' } : { by: 'person', edit },
    {
      evaluate: call.options['no-evaluate'] !== true,
    },
  );
  if (jobId !== null) await launchWork(ctx);
  const started = jobId === null ? 'is proposed' : 'is started and runs in the background';
  const notes = warnings.map((warning) => `Note: ${warning}\n`).join('');
  const answer = `${notes}Experiment ${experimentId} ${started}.`;
  // Its executor is only just starting: what `done` would say of a job that is still queued misleads.
  if (jobId !== null) return `${answer}\n\nNext: see how far it is.\n  /karpathy status`;
  return done(run, experimentId, answer);
}
