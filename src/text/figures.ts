/** Figures in words. A figure that is not known reads `unknown`, never 0. */

export function usd(value: number | null): string {
  if (value === null) return 'unknown price';
  if (value === 0) return '$0';
  return value < 0.01 ? `$${value.toPrecision(2)}` : `$${value.toFixed(2)}`;
}

/** `240 trials, 1,200,000 tokens, $0.40`. */
export function costText(cost: {
  readonly trials: number;
  readonly tokens: number;
  readonly usd: number | null;
}): string {
  return `${plural(cost.trials, 'trial')}, ${count(cost.tokens)} tokens, ${usd(cost.usd)}`;
}

export function count(value: number | null): string {
  return value === null ? 'unknown' : grouped(value);
}

export function percent(value: number | null): string {
  return value === null ? 'unknown' : `${Math.round(value * 100)} %`;
}

/** A difference of pass rates in percentage points, with its sign. */
export function points(value: number | null): string {
  if (value === null) return 'unknown';
  const rounded = Math.round(value * 100);
  return `${rounded > 0 ? '+' : ''}${rounded} points`;
}

/** `p` as it is usually written. */
export function probability(value: number | null): string {
  if (value === null) return 'no p';
  return value < 0.0001 ? 'p < 0.0001' : `p = ${Number(value.toPrecision(2))}`;
}

/** A duration in the largest unit that says enough: `40 s`, `4 min`, `2 h 5 min`, `3 days`. */
export function duration(ms: number | null): string {
  if (ms === null) return 'unknown';
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.round(hours / 24)} days`;
}

/** UTC, to the minute: `2026-05-09 07:30 UTC`. */
export function timestamp(ms: number | null): string {
  return ms === null ? 'never' : `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${grouped(n)} ${n === 1 ? one : many}`;
}

/** `1,200,000`. Integers without Intl, whose first use takes as long as a dozen queries. */
function grouped(n: number): string {
  return Number.isInteger(n) ? String(n).replaceAll(/\B(?=(\d{3})+$)/gu, ',') : n.toLocaleString('en-US');
}

/** One line of at most `length` characters. */
export function shorten(text: string, length: number): string {
  const line = text.replaceAll(/\s+/gu, ' ').trim();
  const characters = [...line];
  return characters.length <= length ? line : `${characters.slice(0, length - 1).join('')}…`;
}
