import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import { launchWork } from '#src/services/launchWork.js';
import { startProposal } from '#src/services/propose.js';
import { reject } from '#src/services/reject.js';
import { enqueue, runJobNow, work } from '#src/services/work.js';
import { getExperiment, history, listExperiments } from '#src/store/experiments.js';
import { findJob } from '#src/store/jobs.js';
import {
  addHoldout,
  addScenario,
  echoingRunner,
  fakeProposer,
  insertAnswer,
  proposingContext,
} from '../../support/proposals.js';

async function failure(run: Promise<unknown>): Promise<KarpathyError> {
  const error = await run.then(
    () => new Error('did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KarpathyError) return error;
  throw error;
}

const HELPS = insertAnswer('Always state the units.', 1);

describe('work', () => {
  it('drafts and evaluates a proposal that was left in the queue', async () => {
    const fixture = proposingContext({ proposer: fakeProposer([HELPS]) });
    addHoldout(fixture);
    addScenario(fixture, { name: 'open-one' });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: true });
    expect(await work(fixture.ctx)).toEqual({
      ran: [{ jobId, kind: 'propose', state: 'finished', error: null }],
      busyWith: null,
    });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ state: 'proposed', verdict: 'keep' });
    expect(await work(fixture.ctx)).toEqual({ ran: [], busyWith: null });
  });

  it('goes on from the finished trials after an interruption, with the same draft', async () => {
    const stop = new AbortController();
    let trials = 0;
    const runner = echoingRunner({
      onRun: () => {
        trials += 1;
        if (trials === 10) stop.abort();
      },
    });
    const proposer = fakeProposer([HELPS]);
    const fixture = proposingContext({ proposer, runner, context: { signal: stop.signal } });
    addHoldout(fixture);
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: true });
    expect(await failure(runJobNow(fixture.ctx, jobId ?? 0))).toMatchObject({ code: 'interrupted' });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'queued' });
    const before = trials;

    await work({ ...fixture.ctx, signal: new AbortController().signal });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ verdict: 'keep' });
    expect(proposer.asked).toHaveLength(1);
    const { kept } = fixture.db.prepare("SELECT count(*) AS kept FROM trials WHERE outcome <> 'infra'").get() as {
      kept: number;
    };
    expect(trials).toBeLessThanOrEqual(kept + 4);
    expect(before).toBeGreaterThanOrEqual(10);
  });

  it('records a failure and goes on with the next job', async () => {
    const fixture = proposingContext();
    addHoldout(fixture);
    const person = {
      by: 'person' as const,
      edit: { operation: 'insert' as const, sentence: 1, text: 'State the units.', rationale: '' },
    };
    const { experimentId, jobId } = await startProposal(fixture.ctx, person, { evaluate: true });
    writeFileSync(fixture.target, 'Someone else was here.\n');
    const run = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    const { ran } = await work(fixture.ctx);
    expect(ran).toMatchObject([
      { jobId, kind: 'evaluate', state: 'failed', error: { code: 'stale' } },
      { jobId: run, kind: 'run', error: { code: 'in_flight' } },
    ]);
    expect(getExperiment(fixture.db, experimentId).state).toBe('proposed');
  });

  it('ends what waits for an experiment when a person rejects it', async () => {
    const proposer = fakeProposer([HELPS]);
    const fixture = proposingContext({ proposer });
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: false });
    await reject(fixture.ctx, experimentId, { reason: 'changed my mind' });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'cancelled' });
    expect((await work(fixture.ctx)).ran).toEqual([]);
    expect(proposer.asked).toEqual([]);
  });

  it('stops an evaluation at its next heartbeat when a person rejects the experiment', async () => {
    let beat: () => void = () => undefined;
    let trials = 0;
    const timers = { setInterval: (callback: () => void) => (beat = callback), clearInterval: () => undefined };
    const fixture = proposingContext({
      proposer: fakeProposer([HELPS]),
      runner: echoingRunner({
        onRun: async ({ scenario }) => {
          trials += 1;
          if (trials > 1) return;
          expect(scenario.split).toBe('holdout');
          await reject(fixture.ctx, experimentId, { reason: 'changed my mind' });
          beat();
        },
      }),
    });
    addHoldout(fixture);
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: true });
    expect((await failure(runJobNow(fixture.ctx, jobId ?? 0, { timers }))).message).toContain('cancelled');
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'cancelled' });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ state: 'rejected', verdict: null });
    expect(trials).toBeLessThanOrEqual(4);
  });

  it('stops while another process is at work', async () => {
    const fixture = proposingContext({ proposer: fakeProposer([HELPS]) });
    const { jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: false });
    fixture.db
      .prepare("UPDATE jobs SET state = 'running', lease_owner = 'other', lease_expires_at = ? WHERE id = ?")
      .run(fixture.clock.now() + 1000, jobId);
    expect(await work(fixture.ctx)).toEqual({ ran: [], busyWith: jobId });
    fixture.clock.advance(1001);
    expect((await work(fixture.ctx)).ran).toMatchObject([{ jobId, state: 'finished' }]);
  });

  it('keeps the evaluation of an edit waiting when its budget ends, and the edit proposed', async () => {
    const runner = echoingRunner({ tokens: 30_000 });
    const fixture = proposingContext({
      proposer: fakeProposer([HELPS]),
      runner,
      config: { budget: { tokens: 400_000 } },
    });
    addHoldout(fixture);
    const { experimentId, jobId } = await startProposal(fixture.ctx, { by: 'model' }, { evaluate: true });
    expect(await failure(runJobNow(fixture.ctx, jobId ?? 0))).toMatchObject({ code: 'budget', exitCode: 3 });
    expect(findJob(fixture.db, jobId ?? 0)).toMatchObject({ state: 'waiting', error: { code: 'budget' } });
    expect(getExperiment(fixture.db, experimentId)).toMatchObject({ state: 'proposed', verdict: null });
    expect(getExperiment(fixture.db, experimentId).tokens).toBeLessThanOrEqual(400_000);
    expect((await work(fixture.ctx)).ran).toEqual([]);
  });
});

describe('the autonomous run', () => {
  it('discards what does not help and stops at the first keep', async () => {
    const proposer = fakeProposer([insertAnswer('Be polite.'), HELPS, insertAnswer('Never reached.')]);
    const fixture = proposingContext({ proposer });
    addHoldout(fixture);
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    await runJobNow(fixture.ctx, jobId);
    const edits = listExperiments(fixture.db).reverse();
    expect(edits.map((e) => [e.sentenceAfter, e.state])).toEqual([
      ['Be polite.', 'rejected'],
      ['Always state the units.', 'proposed'],
    ]);
    expect(edits[0]?.rejectedBy).toBe('gate');
    expect(edits[1]?.verdict).toBe('keep');
    expect(findJob(fixture.db, jobId)).toMatchObject({ state: 'finished', experimentId: edits[1]?.id });
    expect(String(findJob(fixture.db, jobId)?.progress?.message)).toContain('waits for');
  });

  it('rejects what stays undecided', async () => {
    const proposer = fakeProposer([HELPS]);
    // Half of the scenarios need nothing: the suite is too weak to decide.
    const fixture = proposingContext({ proposer, config: { gate: { epochs: 1 } } });
    addHoldout(fixture, 3);
    for (let i = 1; i <= 9; i += 1) {
      addScenario(fixture, { name: `easy-${i}`, split: 'holdout', checks: [{ must_contain: 'careful' }] });
    }
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null, payload: { max_edits: 1 } });
    await runJobNow(fixture.ctx, jobId);
    const [edit] = listExperiments(fixture.db);
    expect(edit).toMatchObject({ state: 'rejected', rejectedBy: 'gate', verdict: 'undecided' });
    expect(edit?.rejectionReason).toContain('undecided in an autonomous run');
    expect(String(findJob(fixture.db, jobId)?.progress?.message)).toContain('1 edits were tried');
  });

  it('gives up after three refused proposals in a row', async () => {
    const proposer = fakeProposer(['nonsense']);
    const fixture = proposingContext({ proposer });
    addHoldout(fixture);
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    await runJobNow(fixture.ctx, jobId);
    expect(listExperiments(fixture.db).map((e) => e.rejectedBy)).toEqual(['system', 'system', 'system']);
    expect(proposer.asked).toHaveLength(6);
  });

  it('leaves the place in flight free when the train scenarios cannot be run', async () => {
    const runner = echoingRunner({
      onRun: () => {
        throw new KarpathyError('host_failed', 'Hermes is broken.');
      },
    });
    const fixture = proposingContext({ proposer: fakeProposer([HELPS]), runner });
    addHoldout(fixture);
    addScenario(fixture, { name: 'open-one' });
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    expect(await failure(runJobNow(fixture.ctx, jobId))).toMatchObject({ code: 'host_failed' });
    expect(listExperiments(fixture.db)).toMatchObject([{ state: 'rejected', rejectedBy: 'system' }]);
  });

  it('does not start while the profile is paused', async () => {
    const fixture = proposingContext({ proposer: fakeProposer([HELPS]) });
    addHoldout(fixture);
    fixture.db.prepare('UPDATE profiles SET paused_at = 1').run();
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    expect(await failure(runJobNow(fixture.ctx, jobId))).toMatchObject({ code: 'paused', exitCode: 3 });
    expect(listExperiments(fixture.db)).toEqual([]);
    fixture.db.prepare('UPDATE profiles SET paused_at = NULL').run();
    expect(enqueue(fixture.ctx, { kind: 'run', experimentId: null })).toBe(jobId);
    await runJobNow(fixture.ctx, jobId);
    expect(listExperiments(fixture.db)).toMatchObject([{ verdict: 'keep' }]);
  });

  it('goes on with the experiment at which it was interrupted', async () => {
    const stop = new AbortController();
    let trials = 0;
    const runner = echoingRunner({ onRun: () => void (++trials === 6 && stop.abort()) });
    const proposer = fakeProposer([HELPS]);
    const fixture = proposingContext({ proposer, runner, context: { signal: stop.signal } });
    addHoldout(fixture);
    const jobId = enqueue(fixture.ctx, { kind: 'run', experimentId: null });
    expect(await failure(runJobNow(fixture.ctx, jobId))).toMatchObject({ code: 'interrupted' });
    await work({ ...fixture.ctx, signal: new AbortController().signal });
    expect(listExperiments(fixture.db)).toMatchObject([{ verdict: 'keep', state: 'proposed' }]);
    expect(proposer.asked).toHaveLength(1);
    expect(history(fixture.db, listExperiments(fixture.db)[0]?.id ?? 0)).toHaveLength(1);
  });
});

describe('launchWork', () => {
  it('starts Hermes for the profile in a session of its own', async () => {
    const fixture = proposingContext();
    const script = join(fixture.root, 'hermes.sh');
    const out = join(fixture.root, 'seen');
    writeFileSync(
      script,
      `#!/bin/sh\necho "$@ home=$HERMES_HOME agent=$HERMES_SESSION_ID" > "${out}.part"\nmv "${out}.part" "${out}"\n`,
    );
    chmodSync(script, 0o755);
    const env = { ...process.env, HERMES_SESSION_ID: 'chat' };
    const pid = await launchWork({ ...fixture.ctx, env, hermes: { command: [script, '--quiet'], python: script } });
    expect(pid).toBeGreaterThan(0);
    await vi.waitFor(() => expect(existsSync(out)).toBe(true), { timeout: 10_000 });
    expect(readFileSync(out, 'utf8').trim()).toBe(`--quiet -p dev karpathy work home=${fixture.home} agent=`);
  });

  it('says so when Hermes is missing or cannot be started', async () => {
    const fixture = proposingContext();
    expect(await failure(launchWork({ ...fixture.ctx, hermes: null }))).toMatchObject({ code: 'host_failed' });
    const gone = { command: [join(fixture.root, 'nothing')], python: 'x' };
    expect(await failure(launchWork({ ...fixture.ctx, hermes: gone }))).toMatchObject({ code: 'host_failed' });
  });
});
