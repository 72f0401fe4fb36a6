/** One answer of the agent, as far as it says whether asking again was worth anything. */
export interface Answer {
  readonly scenario: number;
  /** Which text of the target, and which model, it ran under. */
  readonly under: string;
  /** Digest of what it said and did. */
  readonly digest: string;
  /** Ids that the provider gave its responses; empty when it gives none, or the host does not pass them on. */
  readonly ids: readonly string[];
  /** Time spent in calls of the model; null = not measured. */
  readonly modelMs: number | null;
}

/**
 * `cached`: the provider hands out old answers, so nothing that was measured says anything about now.
 * `identical`: every answer was the same each time; whether it came from a cache or from a model that always says the
 * same can't be told, but asking again was no evidence. `varied`: the rest. `unknown`: nothing was asked twice.
 */
export interface Repeats {
  readonly kind: 'unknown' | 'varied' | 'identical' | 'cached';
  /** Scenarios under one text that were asked more than once. */
  readonly asked: number;
  /** Of those, the ones whose answers were all the same. */
  readonly identical: number;
  /** What gave the cache away; null when nothing did. */
  readonly sign: 'ids' | 'latency' | null;
}

/** A cache answers at once. A deterministic model still has to write; a warm prompt saves it less than this. */
const FASTER = 5;
/** Below this the clock is too coarse to tell one from the other. */
const LEAST_MS = 50;
/** How many scenarios must show it, and which share of those that were measured. */
const FEWEST = 5;
const SHARE = 0.9;

/**
 * Whether repeating a scenario was evidence. @param answers in the order in which they were given, faults left out
 */
export function judgeRepeats(answers: readonly Answer[]): Repeats {
  const cells = new Map<string, Answer[]>();
  for (const answer of answers) {
    const key = `${answer.under}/${answer.scenario}`;
    cells.set(key, [...(cells.get(key) ?? []), answer]);
  }
  const repeated = [...cells.values()].filter((cell) => cell.length > 1);
  const same = repeated.filter((cell) => new Set(cell.map(({ digest }) => digest)).size === 1);
  const counts = { asked: repeated.length, identical: same.length };
  if (repeatsIds(cells)) return { ...counts, kind: 'cached', sign: 'ids' };
  if (repeated.length === 0) return { ...counts, kind: 'unknown', sign: null };
  if (same.length >= SHARE * repeated.length && comesAtOnce(same))
    return { ...counts, kind: 'cached', sign: 'latency' };
  return { ...counts, kind: same.length === repeated.length ? 'identical' : 'varied', sign: null };
}

/** A response's id belongs to one generation, unless the provider gives the same id to all. */
function repeatsIds(cells: ReadonlyMap<string, readonly Answer[]>): boolean {
  const seen = new Map<string, { what: string; times: number }>();
  for (const [cell, answers] of cells) {
    for (const { ids, digest } of answers) {
      for (const id of new Set(ids)) {
        const what = `${cell}/${digest}`;
        const known = seen.get(id);
        if (known !== undefined && known.what !== what) return false;
        seen.set(id, { what, times: (known?.times ?? 0) + 1 });
      }
    }
  }
  return [...seen.values()].some(({ times }) => times > 1);
}

function comesAtOnce(cells: readonly (readonly Answer[])[]): boolean {
  const measured = cells.flatMap((cell) => {
    const [first, ...rest] = cell.flatMap(({ modelMs }) => (modelMs === null ? [] : [modelMs]));
    return first === undefined || rest.length + 1 < cell.length || first < LEAST_MS ? [] : [{ first, rest }];
  });
  const fast = measured.filter(({ first, rest }) => median(rest) * FASTER <= first);
  return measured.length >= FEWEST && fast.length >= SHARE * measured.length;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
