/**
 * What a long history costs: status, list, tick and collect with many session tags and experiments against few, in one
 * run. `npm run bench:history -- [--tags N] [--experiments N] [--rounds N] [--write]`.
 */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectDir } from '../scripts/bootstrap.mjs';
import { openContext } from '../src/app.js';
import { sha256 } from '../src/ratchet/digest.js';
import { collectMetrics } from '../src/services/collect.js';
import { historyList } from '../src/services/historyView.js';
import { metricsByDay } from '../src/services/metricsSeries.js';
import { status } from '../src/services/status.js';
import { tick } from '../src/services/tick.js';
import { immediate, type Db } from '../src/store/database.js';
import { addBenchProfile } from './profile.js';
import { writeSection } from './section.js';

const { values } = parseArgs({
  options: {
    tags: { type: 'string', default: '1000000' },
    experiments: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '15' },
    write: { type: 'boolean', default: false },
  },
});

const HOUR = 3_600_000;
/** About 900 sessions a day, whatever their number: only how long ago they began differs. */
const APART_MS = 95_000;
const FEW = { tags: 1000, experiments: 100 };
const MANY = { tags: Number(values.tags), experiments: Number(values.experiments) };

interface Size {
  readonly tags: number;
  readonly experiments: number;
}

/** Sessions up to now, each with figures; closed experiments, every fifth of them applied, and a live one. */
function fill(db: Db, profileId: number, { size, root, now }: { size: Size; root: string; now: number }): void {
  const soul = readFileSync(join(root, 'SOUL.md'));
  const base = Buffer.from('You are.\n');
  const at = { profileId, root, now, apart: APART_MS, tags: size.tags, experiments: size.experiments };
  const texts = { base, baseSha: sha256(base), soul, soulSha: sha256(soul) };
  immediate(db, () => {
    db.prepare(
      `INSERT INTO experiments (profile_id, profile, target_profile_root, target_relpath, state, base_content, base_sha256,
         candidate_content, candidate_sha256, approved_at, applied_at, reverted_at, rejected_at, created_at, updated_at)
       WITH RECURSIVE n (i) AS (SELECT @experiments UNION ALL SELECT i - 1 FROM n WHERE i > 1)
       SELECT @profileId, 'default', @root, 'SOUL.md', iif(i % 5 = 0, 'reverted', 'rejected'), @base, @baseSha, @soul,
         @soulSha, @now - i * 7200000, iif(i % 5 = 0, @now - i * 7200000, NULL),
         iif(i % 5 = 0, @now - i * 7200000 + 3600000, NULL), @now - i * 7200000, @now - i * 7200000, @now FROM n`,
    ).run({ ...at, ...texts });
    db.prepare(
      `INSERT INTO experiments (profile_id, profile, target_profile_root, target_relpath, state, base_content, base_sha256,
         candidate_content, candidate_sha256, approved_at, applied_at, live_sessions_target, live_deadline_at, created_at, updated_at)
       VALUES (@profileId, 'default', @root, 'SOUL.md', 'live', @base, @baseSha, @soul, @soulSha, @now, @now - 3600000,
         1000, @now + 100 * 3600000, @now, @now)`,
    ).run({ ...at, ...texts });
    const each = 'WITH RECURSIVE n (i) AS (SELECT @tags UNION ALL SELECT i - 1 FROM n WHERE i > 1)';
    db.prepare(
      `INSERT INTO session_tags (profile_id, session_id, content_sha256, started_at, start_seen, started_turns,
         completed_turns, platform, model, last_turn_at, updated_at)
       ${each} SELECT @profileId, 's' || i, @soulSha, @now - i * @apart, 1, 3, 3, 'cli', 'm', @now - i * @apart + 60000, @now FROM n`,
    ).run({ ...at, ...texts });
    db.prepare(
      `INSERT INTO session_usage (profile_id, session_id, found, source, end_reason, ended_at, duration_ms, api_calls,
         input_tokens, output_tokens, cost_usd, turns_unanswered, tool_calls, tool_errors, read_at)
       ${each} SELECT @profileId, 's' || i, 1, 'cli', 'cli_close', @now, 60000, 3, 30000, 900, 0.01, 0, 4, 0, @now FROM n`,
    ).run(at);
    db.prepare(
      `INSERT INTO session_log_counts (profile_id, session_id, warnings, updated_at)
       ${each} SELECT @profileId, 's' || i, 1, @now FROM n`,
    ).run(at);
  });
  db.exec('ANALYZE');
}

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
  fill(opened.ctx.db, profileId, { size, root, now });
  return { ...opened, root };
}

const DOING = {
  status: ({ ctx }: World) => status(ctx),
  'list (history)': ({ ctx }: World) => historyList(ctx, { limit: 50 }),
  'list (metrics)': ({ ctx }: World) => metricsByDay(ctx, { since: null, limit: 2 }),
  tick: ({ ctx }: World) => tick(ctx),
  collect: ({ ctx }: World) => collectMetrics(ctx),
} as const;

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

// The middle of a day, so that both histories have as many sessions today.
const now = Date.UTC(2026, 4, 20, 12);
const [few, many] = [build(FEW, now), build(MANY, now)];
try {
  const first = { few: await timed(() => collectMetrics(few.ctx)), many: await timed(() => collectMetrics(many.ctx)) };
  const rows: string[] = [];
  for (const [name, act] of Object.entries(DOING)) {
    const [short, long]: [number[], number[]] = [[], []];
    for (let round = 0; round < Number(values.rounds); round++) {
      short.push(await timed(() => act(few)));
      long.push(await timed(() => act(many)));
    }
    const [a, b] = [median(short), median(long)];
    rows.push(`| ${name} | ${a.toFixed(2)} ms | ${b.toFixed(2)} ms | ${(b / a).toFixed(2)} |`);
  }
  const text = `\`npm run bench:history -- --tags ${MANY.tags} --experiments ${MANY.experiments}\`: medians of ${values.rounds}, ${cpus().length} cores. The goal is a ratio of 2 or less.

| | ${FEW.tags} sessions, ${FEW.experiments} experiments | ${MANY.tags}, ${MANY.experiments} | ratio |
|---|---|---|---|
${rows.join('\n')}

A first \`collect\`, which sums up every day there is: ${Math.round(first.few)} ms, and ${(first.many / 1000).toFixed(1)} s for ${Math.round((MANY.tags * APART_MS) / (24 * HOUR))} days.`;
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench:history', { title: 'What a long history costs', text });
} finally {
  for (const world of [few, many]) {
    world.close();
    rmSync(world.root, { recursive: true, force: true });
  }
}
