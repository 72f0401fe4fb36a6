import { expect, it } from 'vitest';
import type { ProgressUpdate, TrialSpec } from '#src/ports.js';
import { enqueue, runJobNow } from '#src/services/work.js';
import { getExperiment } from '#src/store/experiments.js';
import { runSlash } from '#src/slash/run.js';
import { progressLine } from '#src/cli/progress.js';
import { cli } from '../cli/harness.js';
import { evaluation, type Evaluation } from './fixture.js';

/** Everything that a person, a program or a chat can look at while an edit is being tested. */
const LOOKED_AT: readonly (readonly string[])[] = [
  ['status'],
  ['show', '1'],
  ['jobs', '--all'],
  ['history'],
  ['history', '1'],
  ['diff', '1'],
  ['baselines'],
  ['metrics'],
  ['error-budget'],
  ['doctor', '--skip-models'],
  ['scenario', 'list', '--include-holdout', '--yes'],
  ['scenario', 'show', 'holdout-1', '--include-holdout', '--yes'],
];

/** A test of an edit in which the candidate passes where `helps` says so, and all that could be seen meanwhile. */
async function watched(helps: (spec: TrialSpec) => boolean): Promise<{ test: Evaluation; seen: string[] }> {
  const seen: string[] = [];
  let ran = 0;
  const test = evaluation({
    outcome: (spec) => spec.arm === 'candidate' && helps(spec),
    config: { budget: { tokens: 1e9 }, runner: { concurrency: 1 } },
  });
  const look = async (): Promise<void> => {
    for (const argv of LOOKED_AT) {
      for (const form of [argv, ['--json', ...argv]]) {
        const { stdout, stderr } = await cli(test, form);
        seen.push(`${form.join(' ')}\n${stdout}${stderr}`);
      }
    }
    for (const line of ['status', 'show 1', 'history 1']) seen.push(await chat(test, line));
  };
  const runner = await test.ctx.makeRunner({ evalRunId: 1, profileHome: test.home, profileName: 'dev' });
  const ctx = {
    ...test.ctx,
    makeRunner: () => ({
      ...runner,
      run: async (spec: TrialSpec, signal: AbortSignal) => {
        ran += 1;
        // Within the first epoch, after a look, and near the end.
        if (spec.scenario.split === 'holdout' && [20, 60, 160].includes(ran)) await look();
        return runner.run(spec, signal);
      },
    }),
    onProgress: (update: ProgressUpdate) => void seen.push(`${progressLine(update)} ${JSON.stringify(update)}`),
  };
  await runJobNow(ctx, enqueue(ctx, { kind: 'evaluate', experimentId: test.experimentId }));
  seen.push(...test.log.lines);
  return { test, seen: seen.map((text) => text.replaceAll(test.root, '<root>')) };
}

function chat({ ctx }: Evaluation, line: string): Promise<string> {
  return runSlash(line, {
    open: async () => ({
      ctx: { ...ctx, surface: { kind: 'slash', interactive: true, agentShell: false, platform: null } },
      close: () => undefined,
    }),
    env: {},
    inGateway: false,
    platform: null,
  });
}

it('what the holdout shows before its verdict can be seen nowhere', async () => {
  // Both go on to the last look without a decision; one passes where the other fails.
  const [thirds, halves] = [
    await watched(({ scenario }) => scenario.id % 3 === 0),
    await watched(({ scenario }) => scenario.id % 2 === 0),
  ];
  expect(thirds.seen.length).toBeGreaterThan(3 * (2 * LOOKED_AT.length + 3) + 150);
  expect(thirds.seen).toEqual(halves.seen);
  const verdicts = [thirds, halves].map(({ test }) => getExperiment(test.db, test.experimentId).verdictDetail);
  expect(verdicts).toMatchObject([
    { verdict: 'undecided', look: 4 },
    { verdict: 'undecided', look: 4 },
  ]);
  expect(verdicts[0]).not.toEqual(verdicts[1]);
});
