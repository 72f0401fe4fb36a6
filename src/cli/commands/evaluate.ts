import * as z from 'zod';
import { evaluationJob, requireEvaluable } from '../../services/evaluationJob.js';
import { ownExperiment } from '../../services/ownExperiment.js';
import { whichExperiment } from '../../services/whichExperiment.js';
import { showPreflight } from '../beforeRun.js';
import { command } from '../command.js';
import { runInForeground } from '../foreground.js';
import { showEvidenceNotice } from '../evidenceNotice.js';
import { experimentId, flag } from '../inputs.js';
import { standingAnswer } from '../outcome.js';

export const evaluateCommand = command({
  path: 'evaluate',
  group: 'Improve',
  summary: 'test a proposed change in the real Hermes; an interrupted test goes on where it stopped',
  arguments: [{ name: '[id]', summary: 'number of the experiment; without it the one in flight' }],
  options: [
    { flags: '--underpowered', summary: 'test although the suite is too small to answer; recorded with the result' },
  ],
  examples: ['evaluate', 'evaluate 7'],
  input: z.object({ id: experimentId.optional(), underpowered: flag }),
  async run(session, { id, underpowered }) {
    const { ctx } = session;
    const experiment = ownExperiment(ctx, whichExperiment(ctx, id));
    requireEvaluable(ctx, experiment, { underpowered });
    await showEvidenceNotice(session);
    await showPreflight(session, { experimentId: experiment.id });
    await runInForeground(session, evaluationJob(ctx, experiment, { underpowered }));
    return standingAnswer(ctx, experiment.id, { done: 'Evaluated.' });
  },
});
