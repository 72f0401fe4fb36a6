import type { ContentMetrics, ExperimentMetrics, metricsByDay } from '../services/metricsSeries.js';
import type { Rates } from '../services/metricsRates.js';
import type { MetricsSnapshot, Sums } from '../store/metrics.js';
import { csv } from './csv.js';
import { count, usd } from './figures.js';
import type { Look } from './look.js';
import { sparkline } from './sparkline.js';
import { table } from './table.js';

type Day = ReturnType<typeof metricsByDay>[number];

const NONE = 'No metrics yet. `hermes karpathy collect` takes them.';
const DAY_MS = 24 * 60 * 60 * 1000;
const UNKNOWN = '-';

const date = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const known = (value: number | null) => (value === null ? UNKNOWN : count(value));
const share = (value: number | null) => (value === null ? UNKNOWN : `${(value * 100).toFixed(1)} %`);
const each = (value: number | null) => (value === null ? UNKNOWN : value.toFixed(value < 10 ? 2 : 0));
const money = (value: number | null) => (value === null ? UNKNOWN : usd(value));
const tokens = (sums: Sums) =>
  sums.inputTokens === null || sums.outputTokens === null ? null : sums.inputTokens + sums.outputTokens;

// ── By day ────────────────────────────────────────────────────────────────

export function daysText(look: Look, days: readonly Day[]): string {
  if (days.length === 0) return NONE;
  const head = ['day (UTC)', 'sessions', 'failed turns', 'errors', 'retries', 'tool errors', 'tokens', 'cost'];
  const rows = days.map((day) => [
    date(day.windowStartedAt),
    `${known(day.sessionsCompleted)} of ${known(day.sessionsStarted)}`,
    known(day.turnsFailed),
    known(day.errors),
    known(day.retries),
    known(day.toolErrors),
    known(tokens(day)),
    money(day.costUsd),
  ]);
  const lines = look.form === 'plain' ? [] : ['', ...curves(look, days)];
  return [table(look, head, rows), ...lines].join('\n');
}

/** One line a figure, oldest day first; a day without a row had no session. */
function curves(look: Look, days: readonly Day[]): string[] {
  const first = Math.min(...days.map((day) => day.windowStartedAt));
  const last = Math.max(...days.map((day) => day.windowStartedAt));
  const width = Math.min(60, Math.round((last - first) / DAY_MS) + 1);
  const from = last - (width - 1) * DAY_MS;
  const rows = Array.from({ length: width }, (_, n) => days.find((day) => day.windowStartedAt === from + n * DAY_MS));
  const drawn: readonly [string, (day: Day) => number | null, (value: number | null) => string][] = [
    ['sessions', (day) => day.sessionsStarted, known],
    ['failed turns', (day) => day.rates.failedTurns, share],
    ['tool errors', (day) => day.rates.toolErrors, share],
    ['tokens', (day) => day.rates.tokens, each],
  ];
  const label = Math.max(...drawn.map(([name]) => name.length)) + 2;
  return drawn.map(([name, of, say]) => {
    const values = rows.map((row) => (row === undefined ? null : of(row)));
    const found = values.filter((value) => value !== null);
    const most = found.length === 0 ? 'unknown' : `up to ${say(Math.max(...found))}`;
    const unit = name === 'tokens' ? ' a session' : name === 'sessions' ? ' a day' : '';
    return `${look.colors.dim(name.padEnd(label))}${sparkline(values, look)}  ${most}${unit}`;
  });
}

// ── By experiment and by text ─────────────────────────────────────────────

const RATES_HEAD = ['completed', 'failed turns', 'tool errors', 'errors', 'retries', 'tokens', 'cost'];

function ratesCells(rates: Rates): string[] {
  return [
    share(rates.completedSessions),
    share(rates.failedTurns),
    share(rates.toolErrors),
    each(rates.errors),
    each(rates.retries),
    rates.tokens === null ? UNKNOWN : count(Math.round(rates.tokens)),
    money(rates.costUsd),
  ];
}

function changeCells(change: Rates): string[] {
  const signed = (value: number | null, say: (value: number) => string) =>
    value === null ? UNKNOWN : `${value < 0 ? '-' : '+'}${say(Math.abs(value))}`;
  const pointsOf = (value: number | null) => signed(value, (v) => `${(v * 100).toFixed(1)} pt`);
  return [
    pointsOf(change.completedSessions),
    pointsOf(change.failedTurns),
    pointsOf(change.toolErrors),
    signed(change.errors, each),
    signed(change.retries, each),
    signed(change.tokens, (v) => count(Math.round(v))),
    signed(change.costUsd, usd),
  ];
}

export function experimentsText(look: Look, experiments: readonly ExperimentMetrics[]): string {
  if (experiments.length === 0) return 'No metrics of an applied change yet. `hermes karpathy collect` takes them.';
  const rows = experiments.flatMap(({ experimentId, before, live, after, change }) => {
    const windows = [
      ['before', before],
      ['live', live],
      ['after', after],
    ] as const;
    const own = windows.flatMap(([name, of]) =>
      of === null ? [] : [[String(experimentId), name, known(of.sessionsStarted), ...ratesCells(of.rates)]],
    );
    return change === null ? own : [...own, [String(experimentId), 'change', '', ...changeCells(change)]];
  });
  return [
    table(look, ['experiment', 'window', 'sessions', ...RATES_HEAD], rows),
    '',
    look.colors.dim('Errors, retries, tokens and cost are for each session. A change is a difference, not a proof.'),
  ].join('\n');
}

export function contentsText(look: Look, contents: readonly ContentMetrics[]): string {
  if (contents.length === 0) return NONE;
  const rows = contents.map((content) => [
    `${content.contentSha256?.slice(0, 12) ?? 'unknown'}${content.current ? ' (now)' : ''}`,
    `${date(content.firstAt)} to ${date(content.lastAt)}`,
    known(content.sessionsStarted),
    ...ratesCells(content.rates),
  ]);
  return table(look, ['text', 'sessions started', 'sessions', ...RATES_HEAD], rows);
}

// ── CSV ───────────────────────────────────────────────────────────────────

const SUM_KEYS = [
  'sessionsStarted',
  'sessionsCompleted',
  'sessionsMeasured',
  'sessionsPriced',
  'sessionsLogged',
  'turnsStarted',
  'turnsCompleted',
  'turnsFailed',
  'turnsInterrupted',
  'backgroundTurns',
  'errors',
  'warnings',
  'retries',
  'failedCalls',
  'apiCalls',
  'toolCalls',
  'toolErrors',
  'inputTokens',
  'outputTokens',
  'costUsd',
  'durationMs',
] as const satisfies readonly (keyof Sums)[];

const GROUP_KEYS = ['excluded', 'surfaces', 'continued', 'endReasons'] as const;

const sums = (of: Sums) => SUM_KEYS.map((key) => of[key]);
const iso = (ms: number) => new Date(ms).toISOString();
const groups = (of: MetricsSnapshot) =>
  GROUP_KEYS.map((key) =>
    Object.entries(of[key])
      .map(([kind, sessions]) => `${kind}=${sessions}`)
      .join(';'),
  );

export function snapshotsCsv(snapshots: readonly MetricsSnapshot[]): string {
  const head = ['profile', 'experiment', 'window', 'from', 'to', 'fromOffset', 'toOffset', ...SUM_KEYS, ...GROUP_KEYS];
  const rows = snapshots.map((one) => [
    one.profile,
    one.experimentId,
    one.windowKind === 'collect' ? 'day' : one.windowKind,
    iso(one.windowStartedAt),
    iso(one.windowEndedAt),
    one.fromOffset,
    one.toOffset,
    ...sums(one),
    ...groups(one),
  ]);
  return csv(head, rows);
}

export function contentsCsv(contents: readonly ContentMetrics[]): string {
  const rows = contents.map((one) => [one.contentSha256, iso(one.firstAt), iso(one.lastAt), ...sums(one)]);
  return csv(['content', 'first', 'last', ...SUM_KEYS], rows);
}
