import { judgeRepeats, type Repeats } from '../gate/repeats.js';
import { sha256 } from '../ratchet/digest.js';
import type { ScenarioSnapshot } from '../schemas.js';
import { listAnswers, type StoredAnswer } from '../store/trials.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/**
 * Whether asking the same question again gave anything new: every answer of the profile to these scenarios under these
 * texts counts, in whatever run, so that a record from before is found out too.
 */
export function repeatsOf(
  ctx: Context,
  of: { scenarios: readonly ScenarioSnapshot[]; texts: readonly string[] },
): Repeats {
  const answers = listAnswers(ctx.db, {
    profileId: requireProfile(ctx).id,
    scenarioIds: of.scenarios.map(({ id }) => id),
    texts: of.texts,
  });
  return judgeRepeats(
    answers.map((answer) => ({
      scenario: answer.scenarioId,
      under: `${answer.textSha256} ${answer.agentModel}`,
      digest: digestOf(answer),
      ids: answer.responseIds ?? [],
      modelMs: answer.modelMs,
    })),
  );
}

function digestOf({ response, toolCalls }: StoredAnswer): string {
  const calls = toolCalls.map(({ name, arguments: args }) => [name, args]);
  return sha256(Buffer.from(JSON.stringify([response, calls]), 'utf8'));
}

const HOW = {
  ids: 'it gave the same response id twice',
  latency: 'repeated questions are answered at once, in the same words',
} as const;

/** In words; null when repeating was evidence, or nothing was repeated. */
export function describeRepeats({ kind, sign, asked }: Repeats): string | null {
  if (kind === 'cached') {
    return `the provider answers from a cache: ${sign === null ? '' : HOW[sign]}. An old answer says nothing about now`;
  }
  if (kind !== 'identical') return null;
  return `all answers were the same each time (${asked} questions asked more than once): deterministic or cached, so epochs are not evidence and only the number of groups counts`;
}

/**
 * A verdict that knows of it. From a cache nothing is decided: what was compared may be from another day. Where all
 * answers are merely the same each time, epochs add nothing: the sign-flip p stays what one epoch gives and the verdict
 * says so, but the test of a deletion takes epochs for independent, and so can keep nothing.
 */
export function heedRepeats<V extends { readonly verdict: string; readonly reason: string }>(
  verdict: V,
  repeats: Repeats,
  options: { readonly deletion: boolean } = { deletion: false },
): V {
  const words = describeRepeats(repeats);
  if (words === null) return verdict;
  if (repeats.kind === 'cached' || (options.deletion && verdict.verdict === 'keep')) {
    return { ...verdict, verdict: 'undecided', reason: words };
  }
  return { ...verdict, reason: `${verdict.reason}; ${words}` };
}
