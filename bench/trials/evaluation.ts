import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { openContext } from '../../src/app.js';
import { restorePlan } from '../../src/evaluation/plan.js';
import { planRun, type RunRequest } from '../../src/services/planRun.js';
import { withEvalSession } from '../../src/services/evalSession.js';
import { insertScenario, snapshotsForPlan } from '../../src/store/scenarios.js';
import { addBenchProfile } from '../profile.js';
import { modelAt, SOUL, type Bench } from './setUp.js';

export interface Evaluation {
  readonly latencyMs: number;
  readonly trials: number;
  readonly slots: number;
  readonly wallMs: number;
  /** `wallMs` over ceil(trials / slots) times one trial. */
  readonly ratio: number;
}

const SCENARIOS = 10;

/**
 * A whole eval run as an edit gets it: plan, scheduler, warm runner, checks and rows in the controller DB, from the
 * first question to the host to the last slot wiped.
 * @param oneTrialMs what one trial takes by itself, once the runner is ready
 */
export async function evaluation(
  bench: Bench,
  { trials, oneTrialMs, slots }: { trials: number; oneTrialMs: number; slots: number | 'auto' },
): Promise<Evaluation> {
  const root = join(bench.root, 'hermes');
  mkdirSync(root);
  const settings = { runner: { concurrency: slots }, budget: { tokens: 1_000_000_000 } };
  const config = { model: modelAt(bench.baseUrl), plugins: { karpathy_self_improve: settings } };
  writeFileSync(join(root, 'config.yaml'), stringify(config));
  const profileId = addBenchProfile(root);
  const opened = openContext({
    ...{ root, profileName: 'default', pluginDir: bench.runner.pluginDir, hermes: bench.runner.hermes, host: null },
    surface: { kind: 'cli', interactive: false, agentShell: false, platform: null },
    ...{ actor: 'person@cli', env: process.env, signal: new AbortController().signal },
  });
  const { ctx } = opened;
  try {
    for (let index = 1; index <= SCENARIOS; index += 1) {
      const name = `hello-${index}`;
      const spec = { input: `Say hello, ${index}.`, checks: [{ must_contain: 'Hello' }] };
      const row = { profileId, name, split: 'train', group: name, spec, realToolsConfirmedBy: null } as const;
      insertScenario(ctx.db, { ...row, at: ctx.clock.now() });
    }
    const contents = { incumbent: Buffer.from(SOUL), candidate: Buffer.from(`${SOUL}\nBe kind.\n`) };
    const epochs = Math.ceil(trials / SCENARIOS / 2);
    const request: RunRequest = {
      ...{ purpose: 'calibration', experimentId: null, arms: ['incumbent', 'candidate'], contents, epochs },
      ...{ scenarios: snapshotsForPlan(ctx.db, profileId), looks: [], alpha: 0, targetRelpath: 'SOUL.md' },
      proposer: null,
    };
    const began = performance.now();
    const row = await planRun(ctx, request);
    const session = { evalRunId: row.id, contents, proposer: { configured: null, returned: null } };
    const finished = await withEvalSession(ctx, session, async (run) => {
      await run.completeEpochs(epochs);
      return run.trials();
    });
    const wallMs = performance.now() - began;
    const lost = finished.filter(({ outcome }) => outcome !== 'pass');
    if (lost.length > 0) throw new Error(`${lost.length} trials did not pass: ${lost[0]?.infraReason ?? ''}`);
    const plan = restorePlan(row);
    const ideal = Math.ceil(finished.length / plan.slots) * oneTrialMs;
    return {
      ...{ latencyMs: bench.latencyMs, trials: finished.length, slots: plan.slots, wallMs },
      ratio: wallMs / ideal,
    };
  } finally {
    opened.close();
  }
}
