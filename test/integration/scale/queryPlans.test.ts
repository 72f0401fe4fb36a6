import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { DEFAULT_SOUL, type TestContext } from '../../support/context.js';
import { completedSession, processEvent, promptWith, writeSpool } from '../../support/observed.js';
import { addHoldout, addScenario, fakeProposer, insertAnswer, proposingContext } from '../../support/proposals.js';
import { queryPlan, recordStatements, type PlanStep } from '../../support/queryPlans.js';
import { cli } from '../cli/harness.js';

/**
 * No command may take longer for a longer history: every statement that any of them runs is recorded, and its plan must
 * neither read a table that grows from end to end nor all that a profile ever had. A plan says so whatever the machine.
 */

/** Do not grow with the history: profiles, their suite, files that are there now, days that wait to be summed up. */
const SMALL = new Set([
  ...['profiles', 'p', 'scenarios', 's', 'json_each', 'sqlite_schema', 'spool_cursors', 'days_to_sum'],
  // Only a person opens an error budget, or starts a calibration.
  ...['evidence_epochs', 'calibrations'],
]);
/** Hold only what is open now. */
const SMALL_INDEXES = [
  'experiments_one_in_flight',
  'file_operations_one_open',
  'file_operations_uncommitted',
  'jobs_one_running',
  'jobs_open',
  'cost_ledger_reserved',
  'session_tags_unsettled',
  'session_tags_unknown',
];
/** Statements that may look at everything, by their beginning, and why. */
const EXCEPTIONS: readonly (readonly [RegExp, string])[] = [
  [/experiment_state_transitions ORDER BY id$/, 'doctor folds the whole audit log'],
  [/^SELECT id, state FROM experiments$/, 'doctor compares it with every state'],
  [/^SELECT count\(\*\) FROM spool_quarantine$/, 'lines that no hook writes'],
  [/FROM host_processes AS h/, 'doctor looks at each process that ever said something, one at a time'],
  [/FROM baselines WHERE profile_id = \? ORDER BY/, '`baselines` lists them all'],
  [/FROM error_budget_ledger INDEXED BY error_budget_sums/, 'one row a test of the holdout, within one index'],
  [/FROM session_tags AS t INDEXED BY session_tags_by_content\n/, '`metrics --by content` sums up every session'],
];

let statements: ReadonlySet<string>;
let fixture: TestContext;

/** What a person does with a profile, from the first proposal to the second verified edit and back. */
beforeAll(async () => {
  const answers = [insertAnswer('Give units.'), insertAnswer('Give units always.', 2)];
  fixture = proposingContext({ proposer: fakeProposer(answers), config: { live: { sessions: 2, days: 14 } } });
  statements = recordStatements(fixture.db);
  addHoldout(fixture);
  for (const name of ['one', 'two', 'three']) addScenario(fixture, { name });
  used('old', DEFAULT_SOUL);
  for (const deed of COMMANDS) await (typeof deed === 'function' ? deed() : run(deed));
});

function used(name: string, text: string): void {
  for (let n = 0; n < 3; n++) {
    completedSession(fixture, { id: `${name}${n}`, prompt: promptWith(text), startedAt: fixture.clock.now() + n });
  }
  writeSpool(fixture, [processEvent(fixture.home)]);
  mkdirSync(join(fixture.home, 'logs'), { recursive: true });
  appendFileSync(join(fixture.home, 'logs', 'agent.log'), `2026-01-05 12:00:00,000 ERROR [${name}0] a: boom\n`);
  fixture.clock.advance(3_600_000);
}

const COMMANDS: readonly (readonly string[] | (() => void))[] = [
  ['status'],
  ['preflight'],
  ['collect'],
  ['propose'],
  ['status'],
  ['show', '1'],
  ['diff', '1'],
  ['approve', '1', '--apply'],
  () => used('new', `${DEFAULT_SOUL.replace('assistant.', 'assistant. Give units.')}`),
  ['status'],
  ['tick'],
  ['collect'],
  ['show', '1'],
  ['verify', '1'],
  ['status'],
  ['collect'],
  ['propose', '--delete', '1', '--no-evaluate'],
  ['reject', '2', '--reason', 'a test'],
  ['verify', '1'],
  ['revert', '1', '--reason', 'a test'],
  ['tick'],
  ['run'],
  ['metrics'],
  ['metrics', '--by', 'experiment'],
  ['metrics', '--by', 'content'],
  ['history'],
  ['history', '1'],
  ['baselines'],
  ['jobs', 'list', '--all'],
  ['jobs'],
  ['error-budget'],
  ['scenario', 'list'],
  ['snapshot', '1'],
  ['pause'],
  ['resume'],
  ['work'],
  ['doctor', '--skip-models'],
];

async function run(argv: readonly string[]): Promise<void> {
  const { code, stderr } = await cli(fixture, argv, { answers: Array<boolean>(5).fill(true) });
  // Without a build, doctor has something to say.
  const fine = argv[0] === 'doctor' ? code < 2 : code === 0;
  expect([argv.join(' '), fine ? '' : stderr]).toEqual([argv.join(' '), '']);
}

/** The steps that would grow with the history. */
function growing(plan: readonly PlanStep[]): PlanStep[] {
  const sql = plan[0]?.sql ?? '';
  if (EXCEPTIONS.some(([which]) => which.test(sql))) return [];
  const sorted = plan.some(({ step }) => step.includes('USE TEMP B-TREE FOR ORDER BY'));
  const stopsEarly = /\bLIMIT\b/.test(sql) && !sorted;
  return plan.filter(({ step }) => {
    if (SMALL_INDEXES.some((index) => step.includes(index))) return false;
    const [, scanned] = /^SCAN (\w+)/.exec(step) ?? [];
    if (scanned !== undefined) return !SMALL.has(scanned);
    const [, searched] = /^SEARCH (\w+) .*\(profile_id=\?\)$/.exec(step) ?? [];
    return searched !== undefined && !SMALL.has(searched) && !stopsEarly;
  });
}

const plansOf = (some: Iterable<string>) =>
  [...some]
    .filter((sql) => /^\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b/i.test(sql))
    .map((sql) => queryPlan(fixture.db, sql));

describe('the queries of every command', () => {
  it('each have their index', () => {
    expect(plansOf(statements).flatMap(growing)).toEqual([]);
  });

  it('were all seen: none of the exceptions is out of date', () => {
    const seen = [...statements];
    expect(EXCEPTIONS.filter(([which]) => !seen.some((sql) => which.test(sql)))).toEqual([]);
  });

  test.each([
    ['a table from end to end', 'SELECT count(*) FROM session_tags'],
    ['all sessions of a profile', 'SELECT count(*) FROM session_tags WHERE profile_id = ? AND model = ?'],
    ['all experiments, to sort them', 'SELECT id FROM experiments WHERE profile_id = ? ORDER BY tokens LIMIT 1'],
    ['the trials of all runs', 'SELECT avg(duration_ms) FROM trials AS t JOIN eval_runs AS r ON r.id = t.eval_run_id'],
  ])('would be found out if they read %s', (_, sql) => {
    expect(plansOf([sql]).flatMap(growing)).not.toEqual([]);
  });
});
