import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type * as fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { NO_SECRETS } from '#src/domain/secrets.js';
import { isKarpathyError } from '#src/errors.js';
import { slotPaths } from '#src/evaluation/slot.js';
import { createTrialRunner } from '#src/evaluation/trialRunner.js';
import type { TrialSpec } from '#src/ports.js';
import { temporaryDirectory } from '../../support/context.js';
import { failAt, fault } from '../../support/faultyFs.js';

vi.mock('node:fs', async (original) => {
  const { faultyFs } = await import('../../support/faultyFs.js');
  return faultyFs(await original<typeof fs>());
});
afterEach(() => Object.assign(fault, { at: 0, calls: 0 }));

/** A profile, and a Hermes that only says who it is. */
function setUp() {
  const root = temporaryDirectory('karpathy-slots-');
  const profileHome = join(root, 'profiles', 'dev');
  mkdirSync(join(profileHome, 'skills'), { recursive: true });
  writeFileSync(join(profileHome, 'skills', 'one.md'), 'A skill.');
  const python = join(root, 'python');
  writeFileSync(python, `#!/bin/sh\necho '{"version":"1","auth_type":null,"key_env":[]}'\n`, { mode: 0o755 });
  const options = {
    ...{ slotsDir: join(root, 'slots'), pluginDir: process.cwd(), profileHome, profileName: 'dev', evalRunId: 1 },
    ...{ env: {}, hermes: { command: ['hermes'], python }, prices: {}, scrub: NO_SECRETS },
  };
  const spec = {
    evalRunId: 1,
    scenario: {
      ...{ id: 1, name: 's', split: 'train', group: 's' },
      spec: { input: 'Go.', files: { 'a.txt': 'text' }, checks: [{ must_contain: 'x' }] },
    },
    ...{ arm: 'incumbent', epoch: 1, attempt: 1, slot: 1, policy: 'simulated', maxTurns: 5, timeoutMs: 60_000 },
    ...{ targetRelpath: 'SOUL.md', targetContent: Buffer.from('You are Bee.\n'), tokenLimit: null },
  } as unknown as TrialSpec;
  let started = 0;
  const runner = () =>
    createTrialRunner(options, {
      name: 'none',
      fellBack: null,
      prepare: async () => false,
      run: async () => {
        started += 1;
        expect(readFileSync(join(slotPaths(options, 1).home, 'SOUL.md'), 'utf8')).toBe('You are Bee.\n');
        return { exitCode: 1, timedOut: false, stderrTail: '', agentLog: '' };
      },
      close: async () => {},
    });
  const { signal } = new AbortController();
  return { root, options, runner, run: () => runner().run(spec, signal), started: () => started };
}

it('a slot that the disk does not take starts no trial, says which and why, and is laid when there is room', async () => {
  const clean = setUp();
  fault.calls = 0;
  await clean.run();
  const writes = fault.calls;
  expect(writes).toBeGreaterThan(10);

  for (let at = 1; at <= writes; at++) {
    const { root, options, runner, run, started } = setUp();
    failAt(at);
    const error: unknown = await run().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    fault.at = 0;
    expect(started(), `write ${at}`).toBe(0);
    if (!isKarpathyError(error)) throw new Error(`write ${at} of ${writes}: no error for a person`, { cause: error });
    expect(error).toMatchObject({ code: 'io' });
    expect(error.message).toContain(root);
    expect(error.hint).toContain('run the command again');
    expect(await run()).toMatchObject({ kind: 'infra' });
    expect(started()).toBe(1);
    await runner().close('finished');
    expect(readdirSync(options.slotsDir).filter((name) => /holder\./.test(name))).toEqual([]);
  }
});
