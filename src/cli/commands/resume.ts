import * as z from 'zod';
import { resumeProfile } from '../../services/pause.js';
import { agree } from '../agree.js';
import { command } from '../command.js';
import { flag } from '../inputs.js';

export const resumeCommand = command({
  path: 'resume',
  group: 'Decide',
  summary: 'end a pause, and queue again what it or an outage stopped',
  options: [{ flags: '--yes', summary: 'do not ask on the terminal' }],
  examples: ['resume', 'resume --yes'],
  withoutTerminal: 'Add --yes to skip the question.',
  input: z.object({ yes: flag }),
  async run(session, { yes }) {
    await agree(session, {
      what: 'resuming',
      question: 'Let the autonomous loop propose again?',
      preview: 'Nothing starts at once; `hermes karpathy run` and work that was asked for go on.',
      yes,
    });
    const { queuedJobs } = resumeProfile(session.ctx);
    const goOn = queuedJobs.length === 0 ? '' : ' `hermes karpathy work` goes on with what it stopped.';
    return {
      data: { paused: false, queued_jobs: queuedJobs },
      text: (look) => `${look.colors.green('✓')} The pause is over.${goOn}`,
    };
  },
});
