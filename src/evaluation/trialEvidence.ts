import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolCallRecord, TrialEvidence, TrialSpec } from '../ports.js';
import type { GuardRecord } from './guardRecord.js';
import type { SlotPaths } from './slot.js';
import type { StoredTrial } from './stateDb.js';

/** USD per million tokens, by model name. */
export type Prices = Readonly<
  Record<string, { readonly input: number; readonly output: number; readonly cached_input?: number | undefined }>
>;

export interface Cost {
  readonly costUsd: number | null;
  readonly costSource: TrialEvidence['costSource'];
}

export interface Seen {
  readonly record: GuardRecord;
  readonly stored: StoredTrial | null;
}

/** The provider's own figure, else the host's, else the configured price, else unknown; never a guessed 0. */
export function costOf({ record, stored }: Seen, prices: Prices): Cost {
  if (record.providerCostUsd !== null) return { costUsd: record.providerCostUsd, costSource: 'provider' };
  if (stored !== null && stored.costUsd !== null) return { costUsd: stored.costUsd, costSource: 'host' };
  const names = [record.model, stored?.model ?? null].filter((name) => name !== null);
  const price = names.map((name) => prices[name]).find((found) => found !== undefined);
  if (price === undefined || stored?.inputTokens == null) return { costUsd: null, costSource: null };
  const cached = stored.cachedInputTokens ?? 0;
  const input = (stored.inputTokens - cached) * price.input + cached * (price.cached_input ?? price.input);
  const costUsd = (input + (stored.outputTokens ?? 0) * price.output) / 1e6;
  return { costUsd, costSource: 'config' };
}

/** The model's tokens, by state.db or the guard, whichever saw more; null when calls were made and neither knows. */
export function tokensOf(record: GuardRecord, stored: StoredTrial | null): number | null {
  const inDb = stored?.inputTokens == null ? 0 : stored.inputTokens + (stored.outputTokens ?? 0);
  const most = Math.max(inDb, record.totalTokens);
  return most === 0 && record.modelCallsEnded > 0 ? null : most;
}

/** What the trial left behind, for the checks to look at. */
export function evidence(seen: {
  spec: TrialSpec;
  paths: SlotPaths;
  record: GuardRecord;
  stored: StoredTrial | null;
  limitReached: TrialEvidence['limitReached'];
  totalTokens: number | null;
  cost: Cost;
  durationMs: number;
}): TrialEvidence {
  const { record, stored, paths } = seen;
  const toolCalls = withHandling(stored, record);
  return {
    kind: 'completed',
    response: stored?.response ?? '',
    toolCalls,
    questionsAsked: record.questions,
    files: readFiles(seen.spec, paths.work),
    sessionId: stored?.sessionId ?? '',
    model: record.model ?? stored?.model ?? null,
    apiCalls: stored?.apiCalls ?? record.modelCallsEnded,
    inputTokens: stored?.inputTokens ?? null,
    outputTokens: stored?.outputTokens ?? null,
    cachedInputTokens: stored?.cachedInputTokens ?? null,
    totalTokens: seen.totalTokens,
    ...seen.cost,
    limitReached: seen.limitReached,
    durationMs: seen.durationMs,
    responseIds: record.responseIds,
    modelMs: record.modelCallsEnded === 0 ? null : record.modelMs,
  };
}

/** A call that the guard never saw was refused by the host itself, for a name or arguments that don't exist. */
function withHandling(stored: StoredTrial | null, record: GuardRecord): ToolCallRecord[] {
  const seen = [...record.handled];
  return (stored?.toolCalls ?? []).map(({ id, name, arguments: args, result }) => {
    const at = seen.findIndex((call) => call.id === id);
    const handling = at < 0 ? 'unknown' : (seen.splice(at, 1)[0]?.handling ?? 'unknown');
    return { name, arguments: args, result, handling };
  });
}

function readFiles(spec: TrialSpec, work: string): ReadonlyMap<string, string | null> {
  const named = spec.scenario.spec.checks.flatMap((check) => (check.file_equals ? [check.file_equals.path] : []));
  return new Map(
    named.map((path) => {
      try {
        return [path, readFileSync(join(work, path), 'utf8')];
      } catch {
        return [path, null];
      }
    }),
  );
}
