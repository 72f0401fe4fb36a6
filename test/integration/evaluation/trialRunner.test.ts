import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NO_SECRETS } from '#src/domain/secrets.js';
import { withinLimits, type HermesProcess } from '#src/evaluation/hermesProcess.js';
import { slotPaths } from '#src/evaluation/slot.js';
import { frozenDir } from '#src/evaluation/slotTemplate.js';
import { createTrialRunner } from '#src/evaluation/trialRunner.js';
import type { TrialSpec } from '#src/ports.js';
import { temporaryDirectory } from '#test/support/context.js';

const { signal } = new AbortController();
const ENDED = { exitCode: 1, timedOut: false, stderrTail: '', agentLog: '' };

/** A profile, and a Hermes that only says who it is; what a trial does is the test's. */
function setUp() {
  const root = temporaryDirectory('karpathy-runner-');
  const profileHome = join(root, 'profiles', 'dev');
  mkdirSync(profileHome, { recursive: true });
  const python = join(root, 'python');
  writeFileSync(python, `#!/bin/sh\necho '{"version":"1","auth_type":null,"key_env":[]}'\n`, { mode: 0o755 });
  const options = {
    ...{ slotsDir: join(root, 'slots'), pluginDir: process.cwd(), profileHome, profileName: 'dev', evalRunId: 1 },
    ...{ env: {}, hermes: { command: ['hermes'], python }, prices: {}, scrub: NO_SECRETS },
  };
  const due = {
    evalRunId: 1,
    scenario: {
      ...{ id: 1, name: 's', split: 'train', group: 's' },
      spec: { input: 'Go.', checks: [{ must_contain: 'x' }] },
    },
    ...{ arm: 'incumbent', epoch: 1, attempt: 1, slot: 1, policy: 'simulated', maxTurns: 5, timeoutMs: 60_000 },
    ...{ targetRelpath: 'SOUL.md', targetContent: Buffer.from('You are Bee.\n'), tokenLimit: null },
  } as unknown as TrialSpec;
  return { options, due };
}

function hostThat(run: HermesProcess['run']): HermesProcess {
  return { name: 'none', fellBack: null, prepare: async () => false, run, close: async () => {} };
}

describe('slots that another worker has taken over', () => {
  it('are neither laid nor wiped by the one that lost them', async () => {
    const { options, due } = setUp();
    let between = async (): Promise<unknown> => null;
    const host = hostThat(async () => {
      await between();
      return ENDED;
    });
    const [old, next] = [createTrialRunner(options, host), createTrialRunner(options, host)];
    expect(await old.run(due, signal)).toMatchObject({ kind: 'infra' });
    between = async () => {
      between = async () => null;
      await next.run(due, signal);
    };
    // Taken over while it was at work: what it brings home is another's slot.
    await expect(old.run(due, signal)).rejects.toMatchObject({ code: 'busy' });
    await expect(old.run(due, signal)).rejects.toMatchObject({ code: 'busy' });
    await old.close('finished');
    expect(existsSync(slotPaths(options, 1).home)).toBe(true);
    expect(existsSync(frozenDir(options))).toBe(true);
    await next.close('finished');
    expect(readdirSync(options.slotsDir)).toEqual(['frozen']);
    expect(readdirSync(join(options.slotsDir, 'frozen'))).toEqual([]);
  });
});

describe('a machine that sleeps during a trial', () => {
  it('stops the trial when it wakes, and loses it to nobody', async () => {
    const { options, due } = setUp();
    let wall = 0;
    const clocks = { wall: () => performance.now() + wall, running: () => performance.now() };
    const signals: string[] = [];
    const host = hostThat(async (_, __, limits) => {
      let end: (value: typeof ENDED) => void;
      const ended = new Promise<typeof ENDED>((done) => (end = done));
      const send = (name: string) => {
        signals.push(name);
        end(ENDED);
      };
      wall += 3_600_000;
      return (await withinLimits(limits, send, ended)).result;
    });
    const runner = createTrialRunner({ ...options, clocks }, host);
    const result = await runner.run(due, signal);
    expect(result).toMatchObject({ kind: 'infra', reason: 'the machine slept during the trial', stopRun: false });
    expect(signals).toEqual(['SIGTERM']);
    // The next one is as any other.
    const awake = createTrialRunner(
      { ...options, clocks },
      hostThat(async () => ENDED),
    );
    expect(await awake.run(due, signal)).toMatchObject({
      reason: expect.stringContaining('ended with code 1') as string,
    });
  });
});
