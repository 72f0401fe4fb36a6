import assert from 'node:assert/strict';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SPOOL_FORMAT } from '#src/schemas.js';
import { ingestSpool } from '#src/services/ingest.js';
import { prepare } from '#src/services/prepare.js';
import { live } from '../../support/experiments.js';
import type { Operation } from '../operation.js';
import { buildRoot, checkInvariants, homeIn, LATER_MS, pathsIn, withContext } from '../world.js';

const FILES = 6;
const TURNS = 40;
const SESSIONS = 12;
const MALFORMED = 2;
const DAY_MS = 86_400_000;

/** Both events of one turn, as the hooks write them. */
function turn(home: string, file: number, index: number): string {
  const session = `s${(file * TURNS + index) % SESSIONS}`;
  const common = { session_id: session, turn_id: `t${file}-${index}`, home };
  const about = { model: 'm', platform: 'cli', write_origin: 'assistant_tool', trial: false, at: Date.now() };
  return (['pre_llm_call', 'post_llm_call'] as const)
    .map((hook) => {
      const id = `${file}-${index}-${hook}`;
      const first = hook === 'pre_llm_call' ? false : null;
      return `${JSON.stringify({ v: SPOOL_FORMAT, id, hook, ...common, is_first_turn: first, ...about })}\n`;
    })
    .join('');
}

/** Half of the files are over a day old, so that they are also deleted; each has lines that are no events. */
export const ingestOperation: Operation = {
  name: 'ingest',
  build: (root) =>
    buildRoot(root, async (bench) => {
      await live(bench);
      const { spoolDir } = pathsIn(root);
      mkdirSync(spoolDir, { recursive: true, mode: 0o700 });
      for (let file = 0; file < FILES; file++) {
        const path = join(spoolDir, `2026010${file}12-aaaa.ndjson`);
        const lines = Array.from({ length: TURNS }, (_, index) => turn(homeIn(root), file, index));
        writeFileSync(path, `${'no event\n'.repeat(MALFORMED)}${lines.join('')}`);
        const at = (Date.now() - (file % 2 === 0 ? 2 * DAY_MS : 0)) / 1000;
        utimesSync(path, at, at);
      }
    }),
  run: (root) => withContext(root, async (ctx) => void (await prepare(ctx))),
  check: (root) =>
    withContext(
      root,
      (ctx) => {
        ingestSpool(ctx);
        checkInvariants(root, ctx.db);
        const number = (sql: string) => ctx.db.prepare(sql).pluck().get() as number;
        assert.equal(number('SELECT count(*) FROM spool_events'), FILES * TURNS * 2, 'every event once');
        assert.equal(number('SELECT sum(started_turns) FROM session_tags'), FILES * TURNS, 'turns that began');
        assert.equal(number('SELECT sum(completed_turns) FROM session_tags'), FILES * TURNS, 'turns that ended');
        assert.equal(number('SELECT count(*) FROM session_tags'), SESSIONS, 'sessions');
        assert.equal(number('SELECT count(*) FROM spool_quarantine'), FILES * MALFORMED, 'lines put aside');
        assert.deepEqual(ingestSpool(ctx).events, 0, 'nothing is taken twice');
      },
      { laterMs: LATER_MS },
    ),
};
