import { KarpathyError } from '../errors.js';
import type { ExperimentRow } from '../store/experiments.js';
import { commandLine } from './authority.js';
import type { Context } from './context.js';

/** @throws KarpathyError `wrong_state` unless the edit is proposed and not worth keeping by its verdict already */
export function requireUndecided(ctx: Pick<Context, 'profile'>, experiment: ExperimentRow): void {
  const { id, state, verdict } = experiment;
  if (state !== 'proposed') {
    throw new KarpathyError('wrong_state', `Experiment ${id} is ${state}; only a proposed edit is evaluated.`, {
      hint: `\`${commandLine(ctx, 'propose')}\` starts a new one.`,
    });
  }
  if (verdict !== 'keep') return;
  throw new KarpathyError('wrong_state', `Experiment ${id} was evaluated already: keep.`, {
    hint: `\`${commandLine(ctx, `approve ${id}`)}\` or \`${commandLine(ctx, `reject ${id} --reason '…'`)}\`.`,
  });
}
