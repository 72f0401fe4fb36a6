import { KarpathyError } from '../errors.js';
import type { Context } from '../services/context.js';
import { decisionCode } from '../services/decisionCode.js';
import { ownExperiment } from '../services/ownExperiment.js';
import { beforeAfter, whatItDoes } from '../text/diff.js';
import type { Look } from '../text/look.js';
import { verdictParagraph } from '../text/verdict.js';
import { diffView } from '../services/diffView.js';
import { verdictView } from '../services/verdictView.js';
import type { SlashIo } from './io.js';

/**
 * In a messaging gateway the host does not say who wrote, so nothing is changed from there unless the configuration
 * names the platform.
 * @throws KarpathyError `needs_person`
 */
export function requireMayChange(ctx: Context, io: Pick<SlashIo, 'platform' | 'inGateway'>): void {
  if (io.platform === null && !io.inGateway) return;
  const allowed = ctx.config.config.slash.allow_changes_from;
  if (io.platform !== null && allowed.includes(io.platform)) return;
  throw new KarpathyError(
    'needs_person',
    `In a chat on ${io.platform ?? 'a messaging platform'} the host does not say who wrote, so nothing is changed from here.`,
    {
      hint: 'Use a terminal or a local chat, or name the platform in plugins.karpathy_self_improve.slash.allow_changes_from.',
    },
  );
}

export interface CodedDecision {
  readonly id: number;
  /** The words to repeat, without the code: `approve 7 --apply`. */
  readonly line: string;
  readonly effect: string;
  /** What the person typed as the code; undefined when nothing. */
  readonly code: string | undefined;
}

/**
 * In a gateway a decision takes two messages: the first answers with before, after, effect and a code bound to what
 * was shown; the second repeats it with the code. Returns the first answer, or null when the code is right.
 * @throws KarpathyError `stale` when the code is not, or no longer, right
 */
export function askForCode(ctx: Context, look: Look, decision: CodedDecision): string | null {
  const experiment = ownExperiment(ctx, decision.id);
  const code = decisionCode(experiment, decision.line);
  if (decision.code?.toUpperCase() === code) return null;
  const again = `/karpathy ${decision.line} ${code}`;
  if (decision.code !== undefined) {
    throw new KarpathyError('stale', 'That code does not fit what stands there now; nothing was changed.', {
      hint: `Look at it with /karpathy ${decision.line}, then send the code it shows.`,
    });
  }
  const verdict = verdictView(experiment);
  const view = diffView(experiment);
  return [
    `Experiment ${decision.id} ${whatItDoes(view)}.`,
    ...beforeAfter(look, view),
    `evidence: ${verdict === null ? 'none yet' : verdictParagraph(verdict)}`,
    `effect: ${decision.effect}`,
    '',
    `To do it, send: ${again}`,
  ].join('\n');
}
