/**
 * What a long history costs: status, list, tick and collect with many session tags and experiments against few, in one
 * run, and what each command keeps in memory. `npm run build && npm run bench:history -- [--tags N] [--experiments N]
 * [--rounds N] [--keep] [--write]`; `--keep` leaves the long history behind, to try things on.
 */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectDir } from '../scripts/bootstrap.mjs';
import { openContext } from '../src/app.js';
import { collectMetrics } from '../src/services/collect.js';
import { historyList } from '../src/services/historyView.js';
import { jobsView } from '../src/services/jobsView.js';
import { metricsByDay, metricsByExperiment } from '../src/services/metricsSeries.js';
import { prepare } from '../src/services/prepare.js';
import { show } from '../src/services/show.js';
import { status } from '../src/services/status.js';
import { tick } from '../src/services/tick.js';
import { APART_MS, HOUR, writeHistory, type Size } from './longHistory.js';
import { peakOf } from './peak.js';
import { addBenchProfile } from './profile.js';
import { writeSection } from './section.js';

const { values } = parseArgs({
  options: {
    tags: { type: 'string', default: '1000000' },
    experiments: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '15' },
    keep: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});

const FEW: Size = { tags: 1000, experiments: 100 };
const MANY: Size = { tags: Number(values.tags), experiments: Number(values.experiments) };
/** What comes in between two ticks, or two collections, of a busy profile. */
const NEW_SESSIONS = 10;

interface World extends ReturnType<typeof openContext> {
  readonly root: string;
}

function build(size: Size, now: number): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-bench-')));
  const profileId = addBenchProfile(root);
  const opened = openContext({
    root,
    profileName: 'default',
    pluginDir: projectDir,
    hermes: null,
    host: null,
    surface: { kind: 'library', interactive: false, agentShell: false, platform: null },
    actor: 'system',
    env: {},
    signal: new AbortController().signal,
    clock: { now: () => now },
  });
  writeHistory(opened.ctx.db, { profileId, size, root, soul: readFileSync(join(root, 'SOUL.md')), now });
  return { ...opened, root };
}

let written = 0;

/** What the hooks leave of sessions of one turn. */
function someTurns({ ctx, root }: World): void {
  const { spoolDir } = ctx.paths;
  mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
  const at = ctx.clock.now();
  for (let n = 0; n < NEW_SESSIONS; n++) {
    const id = ++written;
    const both = {
      v: 1,
      session_id: `new${id}`,
      turn_id: 't',
      home: root,
      model: 'm',
      platform: 'cli',
      trial: false,
      at,
    };
    const rest = { write_origin: 'assistant_tool' };
    const began = { ...both, ...rest, id: `${id}-a`, hook: 'pre_llm_call', is_first_turn: true };
    const ended = { ...both, ...rest, id: `${id}-b`, hook: 'post_llm_call', is_first_turn: null };
    appendFileSync(join(spoolDir, `2026010100-${n}.ndjson`), `${JSON.stringify(began)}\n${JSON.stringify(ended)}\n`);
  }
}

interface Doing {
  readonly act: (world: World) => unknown;
  /** Not timed. */
  readonly before?: (world: World) => void;
}

const DOING: Readonly<Record<string, Doing>> = {
  'what every command begins with': { act: ({ ctx }) => prepare(ctx) },
  status: { act: ({ ctx }) => status(ctx) },
  'list: `history`': { act: ({ ctx }) => historyList(ctx, { limit: 50 }) },
  'list: `metrics`': { act: ({ ctx }) => metricsByDay(ctx, { since: null, limit: 2 }) },
  'list: `metrics --by experiment`': { act: ({ ctx }) => metricsByExperiment(ctx, { since: null, limit: 20 }) },
  'list: `jobs --all`': { act: ({ ctx }) => jobsView(ctx, { all: true }) },
  show: { act: ({ ctx }) => show(ctx, 50) },
  'tick, nothing new': { act: ({ ctx }) => tick(ctx) },
  [`tick, ${NEW_SESSIONS} new sessions`]: { act: ({ ctx }) => tick(ctx), before: someTurns },
  'collect, nothing new': { act: ({ ctx }) => collectMetrics(ctx) },
  [`collect, ${NEW_SESSIONS} new sessions`]: { act: ({ ctx }) => collectMetrics(ctx), before: someTurns },
};

/** Commands as processes of their own. */
const REMEMBERED = [
  ['status'],
  ['history'],
  ['history', '--all'],
  ['metrics'],
  ['metrics', '--by', 'experiment'],
  ['metrics', '--by', 'content'],
  ['show', '50'],
  ['jobs', 'list', '--all'],
  ['tick'],
  ['collect'],
  ['doctor', '--skip-models'],
] as const;

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

async function ratios(few: World, many: World): Promise<string[]> {
  const rows: string[] = [];
  for (const [name, { act, before }] of Object.entries(DOING)) {
    const [short, long]: [number[], number[]] = [[], []];
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const world of [few, many]) {
        before?.(world);
        (world === few ? short : long).push(await timed(() => act(world)));
      }
    }
    const [a, b] = [median(short), median(long)];
    rows.push(`| ${name} | ${a.toFixed(2)} ms | ${b.toFixed(2)} ms | ${(b / a).toFixed(2)} |`);
  }
  return rows;
}

async function memory({ root }: World): Promise<string[]> {
  const rows: string[] = [];
  for (const args of REMEMBERED) {
    const peak = await peakOf(root, args);
    if (peak === null) return ['| not measured: no build | | |'];
    rows.push(`| \`${args.join(' ')}\` | ${Math.round(peak.megabytes)} MB | ${peak.seconds.toFixed(1)} s |`);
  }
  return rows;
}

// The middle of today, so that both histories have as many sessions today.
const day = 24 * HOUR;
const now = Date.now() - (Date.now() % day) + day / 2;
const [few, many] = [build(FEW, now), build(MANY, now)];
try {
  const few1 = await timed(() => collectMetrics(few.ctx));
  const first = await peakOf(many.root, ['collect']);
  const many1 = await timed(() => collectMetrics(many.ctx));
  const rows = await ratios(few, many);
  const kept = await memory(many);
  const gigabytes = statSync(many.ctx.paths.dbPath).size / 1e9;
  const said =
    first === null
      ? `${(many1 / 1000).toFixed(1)} s`
      : `${first.seconds.toFixed(1)} s and at most ${Math.round(first.megabytes)} MB`;
  const text = `\`npm run bench:history -- --tags ${MANY.tags} --experiments ${MANY.experiments}\`: medians of ${values.rounds}, ${cpus().length} cores. Each experiment has its run, trials, costs, job and audit log; one is live. The goal is a ratio of 2 or less.

| | ${FEW.tags} sessions, ${FEW.experiments} experiments | ${MANY.tags}, ${MANY.experiments} | ratio |
|---|---|---|---|
${rows.join('\n')}

A first \`collect\`, which sums up every day there is: ${Math.round(few1)} ms, and ${said} for ${Math.round((MANY.tags * APART_MS) / day)} days.

The most memory a command holds on the long history (${gigabytes.toFixed(1)} GB of controller DB), Node and its code included; the goal is 120 MB or less. Time with the start of Node.

| | memory | time |
|---|---|---|
${kept.join('\n')}`;
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench:history', { title: 'What a long history costs', text });
} finally {
  for (const world of [few, many]) {
    world.close();
    if (values.keep && world === many) process.stderr.write(`kept: HERMES_HOME=${world.root}\n`);
    else rmSync(world.root, { recursive: true, force: true });
  }
}
