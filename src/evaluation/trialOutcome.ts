import type { TrialEvidence } from '../ports.js';
import type { GuardRecord } from './guardRecord.js';
import type { StoredTrial } from './stateDb.js';

/** Exit codes of host/slot_guard. */
export const BUDGET_SPENT = 86;
export const GUARD_FAILED = 87;
/** Of host/contained.py: memory, processes or disk of a container are used up. */
export const LIMIT_REACHED = 88;

/** How the trial's process ended. */
export interface ProcessEnd {
  readonly exitCode: number | null;
  readonly timedOut: boolean;
  readonly stderrTail: string;
  /** Content of the slot's agent.log. */
  readonly agentLog: string;
}

export type Judgement =
  | { readonly kind: 'completed'; readonly limitReached: TrialEvidence['limitReached'] }
  | { readonly kind: 'infra'; readonly reason: string; readonly stopRun: boolean };

interface Seen {
  readonly end: ProcessEnd;
  readonly record: GuardRecord;
  readonly stored: StoredTrial | null;
  /** The arm's text as the host reads it. */
  readonly armText: string;
  readonly turnsDone: boolean;
  /** Whom the agent waited for at the deadline could not be reached by this process either. */
  readonly providerGone?: boolean;
}

/**
 * Whether what happened counts for the agent or is a fault outside it. Looks at neither the arm nor the checks.
 * Limits that are reached while the agent works (time, tokens, turns) are the agent's: taking them out would let a
 * text turn failures into time-outs.
 */
export function judgeEnd(seen: Seen): Judgement {
  const { end, record, stored } = seen;
  if (!record.ready) return withoutGuard(seen);
  const limit = record.errors.find((error) => isUsageLimit(error));
  if (limit !== undefined && stored?.answered !== true)
    return infra(`usage limit: ${limit.message.slice(0, 200)}`, true);
  const prompt = promptFault(stored, seen.armText);
  if (prompt !== null) return infra(prompt);
  if (end.exitCode === BUDGET_SPENT) return { kind: 'completed', limitReached: 'tokens' };
  if (end.timedOut) {
    // An agent that only waits does nothing, and no text can take a provider off the network.
    if (seen.providerGone === true) return infra('the provider could not be reached when the time was up');
    if (record.unanswered?.failed === true) return providerError(record);
    if (record.modelCallsEnded > 0) return { kind: 'completed', limitReached: 'time' };
    return infra(
      record.modelCallsStarted > 0 ? 'the model gave no answer before the deadline' : 'the host did not start in time',
    );
  }
  if (end.exitCode === LIMIT_REACHED) return limitOfContainer(record);
  if (end.exitCode === GUARD_FAILED) return infra(`the slot guard failed: ${record.ended?.reason ?? 'unknown'}`);
  if (end.exitCode !== 0 || stored?.answered !== true || !seen.turnsDone) {
    if (record.errors.length > 0) return providerError(record);
    return infra(`Hermes ended with code ${end.exitCode ?? 'none'}: ${tail(end.stderrTail)}`);
  }
  const outOfTurns = /Turn ended: reason=(max_iterations_reached|budget_exhausted)/.test(end.agentLog);
  return { kind: 'completed', limitReached: outOfTurns ? 'turns' : null };
}

function providerError({ errors }: GuardRecord): Judgement {
  return infra(`provider error: ${errors.at(-1)?.message.slice(0, 300) ?? 'unknown'}`);
}

/** What the agent used up is its own doing; before it had said anything it was the host. */
function limitOfContainer(record: GuardRecord): Judgement {
  if (record.modelCallsEnded > 0) return { kind: 'completed', limitReached: 'resources' };
  return infra(`the container's limit was reached before the model had answered: ${record.ended?.reason ?? 'unknown'}`);
}

/** A host that never came as far as its plugins is an ordinary fault; one that worked without the guard is not. */
function withoutGuard({ end, stored }: Seen): Judgement {
  if (end.exitCode === 0 || stored?.answered === true || (stored?.toolCalls.length ?? 0) > 0) {
    return infra('the slot guard was not active; no further trial is started', true);
  }
  if (end.timedOut) return infra('the host did not start in time');
  if (end.exitCode === GUARD_FAILED) return infra('the slot guard could not start');
  return infra(`Hermes ended with code ${end.exitCode ?? 'none'}: ${tail(end.stderrTail)}`);
}

function infra(reason: string, stopRun = false): Judgement {
  return { kind: 'infra', reason, stopRun };
}

/** The host strips the text, drops a BOM, and replaces or cuts what it refuses; each would test another text. */
function promptFault(stored: StoredTrial | null, armText: string): string | null {
  const prompt = stored?.systemPrompt ?? null;
  if (prompt === null) return null; // the trial ended before the prompt was stored; its end says why
  if (prompt.startsWith(armText)) return null;
  if (prompt.startsWith('[BLOCKED:')) return "prompt not loaded: the host's injection scan blocked the text";
  if (prompt.includes('[...truncated SOUL.md')) return 'prompt not loaded: the host cut the text to its limit';
  return 'prompt not loaded: the stored system prompt does not start with the text under test';
}

/** As the host reads SOUL.md. */
export function asHostReads(content: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: false }).decode(content).replace(/\r\n?/g, '\n').trim();
}

/** A subscription's limit, which waiting a few seconds does not cure; a plain rate limit is not one. */
export function isUsageLimit(error: { readonly status: number | null; readonly message: string }): boolean {
  return /usage[ _-]?limit|insufficient[ _]quota|exceeded your current quota|quota exceeded|subscription|billing|credit balance/i.test(
    error.message,
  )
    ? error.status === null || error.status === 429 || error.status === 402 || error.status === 403
    : error.status === 402;
}

function tail(text: string): string {
  const lines = text
    .trim()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('session_id:'));
  return lines.at(-1)?.slice(0, 300) ?? 'no message';
}
