import * as z from 'zod';
import { enqueue } from '../../services/enqueue.js';
import { status } from '../../services/status.js';
import { statusText } from '../../text/status.js';
import { showPreflight } from '../beforeRun.js';
import { command } from '../command.js';
import { showEvidenceNotice } from '../evidenceNotice.js';
import { runInForeground } from '../foreground.js';

export const runCommand = command({
  path: 'run',
  group: 'Run',
  summary: 'propose and test, again and again, until one change is worth keeping; then it waits for you',
  details: 'Stays within the budget. Nothing is applied. Ctrl-C leaves a state that goes on with `work`.',
  examples: ['run'],
  input: z.object({}),
  async run(session) {
    const { ctx } = session;
    await showEvidenceNotice(session);
    await showPreflight(session);
    await runInForeground(session, enqueue(ctx, { kind: 'run', experimentId: null }));
    const view = await status(ctx);
    return { data: view, text: (look) => statusText(look, view, ctx.clock.now()) };
  },
});
