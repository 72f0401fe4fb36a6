import * as z from 'zod';
import { KarpathyError } from '../../errors.js';
import { initProfile } from '../../services/init.js';
import { planInit, type InitInput } from '../../services/initPlan.js';
import { initText, planText } from '../../text/init.js';
import { command, type Session } from '../command.js';
import { guideInit } from '../guideInit.js';
import { flag } from '../inputs.js';
import { SETUP_OPTIONS, setupInput, setupShape } from '../setupFlags.js';

export const initCommand = command({
  path: 'init',
  group: 'Set up',
  summary: 'set this profile up: target file, models, budget, who sees which text',
  details:
    'On a terminal it asks for what the options leave open. Running it again changes only what you answer or name.',
  options: [
    ...SETUP_OPTIONS,
    { flags: '--accept-disclosure', summary: 'you have read who will see which text, and agree' },
    { flags: '--yes', summary: 'ask nothing; what is not given keeps its value or default' },
  ],
  examples: [
    'init',
    'init --budget-tokens 5000000 --accept-disclosure --yes',
    'init --proposer http://127.0.0.1:8080/v1#writer --judge none --budget-tokens 5000000 --accept-disclosure',
  ],
  withoutTerminal: 'Give the options and --accept-disclosure; `hermes karpathy init --help` lists them.',
  input: z.object({ ...setupShape, acceptDisclosure: flag, yes: flag }),
  async run(session, { acceptDisclosure, yes, ...flags }) {
    const given = setupInput(flags);
    const guided = session.canAsk && !yes;
    const input = guided ? await guideInit(session, given) : given;
    if (guided && !acceptDisclosure && !(await discloses(session, input))) {
      throw new KarpathyError('needs_person', 'Not agreed; nothing was changed.');
    }
    const result = await initProfile(session.ctx, { ...input, acceptDisclosure: acceptDisclosure || guided });
    return { data: result, text: (look) => initText(look, result, { withPlan: !guided }) };
  },
});

/** Shows the whole plan and asks for agreement to it; checks everything before it asks. */
async function discloses(session: Session, input: InitInput): Promise<boolean> {
  const plan = await planInit(session.ctx, input);
  session.show(planText(session.look, plan));
  return session.ask.confirm('Is that right, and do you agree to who will see which text?');
}
