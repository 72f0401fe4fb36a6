import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DELETION_ALPHA, DELETION_CONSULTATIONS } from '#src/gate/errorBudget.js';
import type { Context } from '#src/services/context.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { renewErrorBudget } from '#src/services/evidenceEpochs.js';
import { openDatabase, type Db } from '#src/store/database.js';
import { createExperiment, findInFlight, transition } from '#src/store/experiments.js';
import { listScenarios, replaceScenario } from '#src/store/scenarios.js';
import { editOf, evaluation, type Evaluation } from './fixture.js';

/** What a test of an edit comes to, if nothing stops it. */
const OUTCOMES = ['helps', 'helps a little', 'does nothing', 'harms'] as const;
type Outcome = (typeof OUTCOMES)[number];

/** How it is stopped: an error or Ctrl-C at a trial, or the process dying at the edge of a commit. */
type Stop =
  | { readonly by: 'nothing' }
  | { readonly by: 'crash' | 'cancel'; readonly atTrial: number }
  | { readonly by: 'death'; readonly atCommit: number; readonly edge: 'before' | 'after' };

type Step =
  | { readonly do: 'evaluate'; readonly outcome: Outcome; readonly stop: Stop }
  | { readonly do: 'next edit'; readonly operation: 'rewrite' | 'delete' }
  | { readonly do: 'edit suite'; readonly scenarios: number }
  | { readonly do: 'use model'; readonly model: 'a' | 'b' }
  | { readonly do: 'renew' };

const stops: fc.Arbitrary<Stop> = fc.oneof(
  fc.constant({ by: 'nothing' } as const),
  fc.record({ by: fc.constantFrom('crash' as const, 'cancel' as const), atTrial: fc.integer({ min: 1, max: 18 }) }),
  fc.record({
    by: fc.constant('death' as const),
    atCommit: fc.integer({ min: 1, max: 45 }),
    edge: fc.constantFrom('before' as const, 'after' as const),
  }),
);
const evaluate: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('evaluate' as const),
  outcome: fc.constantFrom(...OUTCOMES),
  stop: stops,
});
const others: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('next edit' as const),
    operation: fc.constantFrom('rewrite' as const, 'delete' as const),
  }),
  fc.record({ do: fc.constant('edit suite' as const), scenarios: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ do: fc.constant('use model' as const), model: fc.constantFrom('a' as const, 'b' as const) }),
  fc.constant({ do: 'renew' } as const),
);
const steps = fc.array(fc.oneof({ weight: 3, arbitrary: evaluate }, { weight: 2, arbitrary: others }), {
  minLength: 3,
  maxLength: 10,
});

class Died extends Error {}
let deaths = 0;

/** A connection whose process dies at a commit: nothing reaches the database after that, no clean-up either. */
function mortal(path: string, { atCommit, edge }: { atCommit: number; edge: 'before' | 'after' }): Db {
  const db = openDatabase(path);
  const begin = db.transaction.bind(db);
  let commits = 0;
  const transaction = (work: () => unknown) => ({
    immediate: () => {
      if (db.inTransaction) return begin(work)();
      commits += 1;
      if (commits !== atCommit) return begin(work).immediate();
      if (edge === 'after') begin(work).immediate();
      else {
        db.exec('BEGIN IMMEDIATE');
        work();
      }
      db.close();
      deaths += 1;
      throw new Died();
    },
  });
  Object.assign(db, { transaction });
  return db;
}

const passes = (outcome: Outcome, arm: string, scenario: number): boolean => {
  if (outcome === 'does nothing') return true;
  if (outcome === 'helps a little') return arm === 'candidate' && scenario % 3 === 0;
  return (arm === 'candidate') === (outcome === 'helps');
};

async function run(test: Evaluation, step: Step, now: { outcome: Outcome; stop: Stop }): Promise<void> {
  const inFlight = findInFlight(test.db, test.profileId);
  switch (step.do) {
    case 'evaluate': {
      Object.assign(now, step);
      const abort = new AbortController();
      const { stop } = step;
      const db = stop.by === 'death' ? mortal(test.db.name, stop) : test.db;
      const ctx: Context = { ...test.ctx, db, signal: abort.signal };
      let ran = 0;
      const counted: Context = {
        ...ctx,
        makeRunner: async (of) => {
          const runner = await ctx.makeRunner(of);
          return {
            ...runner,
            run: (spec, signal) => {
              ran += 1;
              if (stop.by === 'crash' && ran === stop.atTrial) throw new Died();
              if (stop.by === 'cancel' && ran === stop.atTrial) abort.abort();
              return runner.run(spec, signal);
            },
          };
        },
      };
      try {
        if (inFlight !== null) await evaluateExperiment(counted, inFlight.id, { underpowered: true });
      } finally {
        if (db !== test.db && db.open) db.close();
      }
      return;
    }
    case 'next edit': {
      const at = test.clock.now();
      if (inFlight !== null)
        transition(test.db, { id: inFlight.id, to: 'rejected', actor: 'person@cli', reason: 'next', at });
      const id = createExperiment(test.db, {
        profileId: test.profileId,
        profile: 'dev',
        targetProfileRoot: test.ctx.profile.rootPath,
        targetRelpath: 'SOUL.md',
        actor: 'person@cli',
        reason: 'next',
        at,
        edit: editOf('human'),
      });
      test.db.prepare('UPDATE experiments SET operation = ? WHERE id = ?').run(step.operation, id);
      return;
    }
    case 'edit suite': {
      for (const old of listScenarios(test.db, test.profileId, { split: 'holdout' }).slice(0, step.scenarios)) {
        const spec = { ...old.spec, input: `Asked at ${test.clock.now()}: ${old.name}?` };
        replaceScenario(test.db, old, { ...old, spec, at: test.clock.now() });
      }
      return;
    }
    case 'use model':
      writeFileSync(join(test.home, 'config.yaml'), `model:\n  provider: custom\n  default: ${step.model}\n`);
      return;
    case 'renew':
      await renewErrorBudget(test.ctx, { reason: 'as they like' });
  }
}

interface Spent {
  readonly id: number;
  readonly epochId: number;
  readonly kind: string;
  readonly consultation: number;
  readonly alpha: number;
  readonly experimentId: number;
  readonly evalRunId: number;
  readonly planAlpha: number;
  readonly verdict: string | null;
  readonly p: number | null;
}

const ledgerOf = (db: Db): Spent[] =>
  db
    .prepare<[], Spent>(
      `SELECT l.id, l.epoch_id AS epochId, l.kind, l.consultation, l.alpha, l.experiment_id AS experimentId,
         l.eval_run_id AS evalRunId, json_extract(r.plan, '$.alpha') AS planAlpha,
         CASE r.state WHEN 'finished' THEN json_extract(r.decision, '$.verdict') END AS verdict,
         json_extract(r.decision, '$.p') AS p
       FROM error_budget_ledger l JOIN eval_runs r ON r.id = l.eval_run_id ORDER BY l.id`,
    )
    .all();

function checkBudget(db: Db, before: readonly Spent[]): Spent[] {
  const ledger = ledgerOf(db);
  // What was written stays as it was.
  const fixed = ({ verdict: _, p: __, ...row }: Spent) => row;
  expect(ledger.slice(0, before.length).map(fixed)).toEqual(before.map(fixed));

  const epochs = db
    .prepare<[], { id: number; number: number; alpha: number; actor: string }>('SELECT * FROM evidence_epochs')
    .all();
  for (const epoch of epochs) {
    if (epoch.number > 1) expect(epoch.actor).toBe('person@cli');
    for (const kind of ['improvement', 'deletion']) {
      const own = ledger.filter((row) => row.epochId === epoch.id && row.kind === kind);
      const lost = own.filter((row) => row.verdict !== 'keep');
      const allowed = kind === 'deletion' ? DELETION_ALPHA * DELETION_CONSULTATIONS : epoch.alpha;
      expect(lost.reduce((sum, row) => sum + row.alpha, 0)).toBeLessThanOrEqual(allowed + 1e-12);
      expect(new Set(lost.map((row) => row.consultation)).size).toBe(lost.length);
    }
  }
  // A candidate has one chance at a share, and what it is decided by is what was paid for.
  expect(new Set(ledger.map((row) => `${row.experimentId} ${row.epochId} ${row.kind} ${row.consultation}`)).size).toBe(
    ledger.length,
  );
  for (const row of ledger) {
    expect(row.planAlpha).toBe(row.alpha);
    if (row.verdict === 'keep') expect(row.p).toBeLessThanOrEqual(row.alpha);
  }
  // No trial of a holdout test that nothing was paid for.
  const unpaid = db
    .prepare(
      `SELECT count(*) FROM trials t JOIN eval_runs r ON r.id = t.eval_run_id
       WHERE r.purpose = 'selection' AND r.id NOT IN (SELECT eval_run_id FROM error_budget_ledger)`,
    )
    .pluck()
    .get();
  expect(unpaid).toBe(0);
  return ledger;
}

const runs = Number(process.env.KARPATHY_PROPERTY_RUNS ?? 15);

it(
  'nothing that can happen gives an edit two chances at a share of the error budget, or refills it',
  async () => {
    let spent = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const now: { outcome: Outcome; stop: Stop } = { outcome: 'helps', stop: { by: 'nothing' } };
        const test = evaluation({
          holdout: 8,
          outcome: (spec) => passes(now.outcome, spec.arm, spec.scenario.id),
          config: { budget: { tokens: 1e9 }, gate: { alpha: 0.5, epochs: 1 }, runner: { concurrency: 1 } },
        });
        let ledger: Spent[] = [];
        for (const step of sequence) {
          test.clock.advance(1000);
          try {
            await run(test, step, now);
          } catch (error) {
            // Refusals and deaths are part of the story; a share that was asked for twice is not.
            expect(String(error)).not.toMatch(/is spent$|append-only|immutable|FOREIGN KEY|UNIQUE/);
          }
          ledger = checkBudget(test.db, ledger);
        }
        spent += ledger.length;
        test.close();
      }),
      { seed: 20261123, numRuns: runs },
    );
    // It was about something.
    expect(spent).toBeGreaterThan(runs);
    expect(deaths).toBeGreaterThan(runs / 5);
  },
  60_000 + runs * 10_000,
);
