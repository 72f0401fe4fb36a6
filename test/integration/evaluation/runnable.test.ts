import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Bubblewrap } from '#src/evaluation/container/container.js';
import { withReachableModel } from '#src/evaluation/container/reachableModel.js';
import type { Context } from '#src/services/context.js';
import { planCalibration, startCalibration } from '#src/services/calibration.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { startProposal } from '#src/services/propose.js';
import { runJobNow } from '#src/services/work.js';
import { listExperiments } from '#src/store/experiments.js';
import { temporaryDirectory } from '#test/support/context.js';
import { addScenarios } from '#test/support/suites.js';
import { fakeProposer, insertAnswer, proposingContext } from '#test/support/proposals.js';
import { count, evaluation } from './fixture.js';

const FOUND: Bubblewrap = {
  ...{ kind: 'bubblewrap', program: 'bwrap', version: '0.8' },
  isolation: { asRoot: false, disableUserns: true },
};
const contained = { tools: 'contained', checks: [{ judge: 'Is it polite?' }] } as const;

/** A suite that needs a container and a judge; everything that would be paid is counted. */
function suite() {
  let judged = 0;
  const test = evaluation({
    outcome: () => true,
    spec: { tools: contained.tools, checks: [...contained.checks] },
    judge: () => {
      judged += 1;
      return '{"rationale":"no","pass":false}';
    },
  });
  const paid = () => judged + test.ran.length;
  return { ...test, paid, withContainer: { ...test.ctx, findContainer: async () => FOUND } satisfies Context };
}

const REFUSED = { code: 'bad_scenario', message: expect.stringContaining("can't run here") as string };

describe('scenarios that ask for a container where there is none', () => {
  it('are refused before the judge is asked, at the first run and when one goes on', async () => {
    const test = suite();
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject(REFUSED);
    expect([test.paid(), count(test, 'SELECT COUNT(*) FROM eval_runs')]).toEqual([0, 0]);

    const stop = new AbortController();
    stop.abort();
    await expect(
      evaluateExperiment({ ...test.withContainer, signal: stop.signal }, test.experimentId),
    ).rejects.toMatchObject({ name: 'AbortError' });
    const asked = test.paid();
    test.db.prepare('UPDATE eval_runs SET judge_run_id = NULL').run();
    await expect(evaluateExperiment(test.ctx, test.experimentId)).rejects.toMatchObject(REFUSED);
    expect([test.paid() - asked, count(test, 'SELECT COUNT(*) FROM error_budget_ledger')]).toEqual([0, 1]);
  });

  it('are refused before a calibration is agreed to, and before its paraphrase is paid for', async () => {
    const test = suite();
    await expect(planCalibration(test.ctx, {})).rejects.toMatchObject(REFUSED);
    const job = await startCalibration(test.ctx, await planCalibration(test.withContainer, {}));
    await expect(runJobNow(test.ctx, job)).rejects.toMatchObject(REFUSED);
    expect(test.paid()).toBe(0);
    expect(count(test, 'SELECT COUNT(*) FROM cost_ledger')).toBe(0);
  });

  it.each(['holdout', 'train'] as const)('are refused before the proposer is asked (%s)', async (split) => {
    const proposer = fakeProposer([insertAnswer('State the units.')]);
    const test = proposingContext({ proposer });
    addScenarios(test, { names: Array.from({ length: 12 }, (_, index) => `plain-${index}`), split: 'holdout' });
    addScenarios(test, { names: ['boxed'], split, spec: { tools: 'contained' } });
    await expect(startProposal(test.ctx, { by: 'model' }, { evaluate: true })).rejects.toMatchObject(REFUSED);
    expect([proposer.asked.length, listExperiments(test.db).length]).toEqual([0, 0]);
  });

  it('are refused, too, when nobody set up the judge they ask for', async () => {
    const proposer = fakeProposer([insertAnswer('State the units.')]);
    const test = proposingContext({ proposer });
    addScenarios(test, { names: ['judged'], split: 'holdout', spec: { checks: [{ judge: 'Is it polite?' }] } });
    await expect(startProposal(test.ctx, { by: 'model' }, { evaluate: true })).rejects.toMatchObject({
      code: 'bad_config',
    });
    expect(proposer.asked).toEqual([]);
  });
});

describe('a container that is there', () => {
  /** A Hermes that says who its provider is; what it costs to ask is a process. */
  function profile(provider: { authType: string | null; baseUrl: string }) {
    const root = temporaryDirectory('karpathy-model-');
    const profileHome = join(root, 'profiles', 'dev');
    mkdirSync(profileHome, { recursive: true });
    const facts = { version: '1', auth_type: provider.authType, key_env: ['THE_API_KEY'] };
    const python = join(root, 'python');
    const answers = `facts) echo '${JSON.stringify(facts)}';; *) echo '{"base_url":"${provider.baseUrl}","code":[]}';;`;
    writeFileSync(python, `#!/bin/sh\ncase "$3" in ${answers} esac\n`, { mode: 0o755 });
    writeFileSync(join(profileHome, 'auth.json'), '{}');
    const hermes = { command: ['hermes'], python };
    return (env: Record<string, string>) =>
      withReachableModel(FOUND, { hermes, pluginDir: root, profileHome, env: { THE_API_KEY: 'key', ...env } });
  }

  it('serves a model with a key, and says so of a login, a proxy and an address it cannot forward', async () => {
    const plain = profile({ authType: 'api_key', baseUrl: 'https://api.example.com/v1' });
    expect(await plain({})).toEqual(FOUND);
    expect(await plain({ HTTPS_PROXY: 'http://proxy:3128' })).toMatchObject({
      kind: null,
      problem: expect.stringContaining('HTTPS_PROXY is set') as string,
    });
    expect(await profile({ authType: 'oauth_device', baseUrl: 'https://api.example.com/v1' })({})).toMatchObject({
      kind: null,
      problem: expect.stringContaining('login (OAuth)') as string,
      fix: expect.stringContaining('API key') as string,
    });
    expect(await profile({ authType: 'api_key', baseUrl: 'acp://local' })({})).toMatchObject({
      kind: null,
      problem: expect.stringContaining('is not an http(s) address') as string,
    });
  });

  it('is taken as not usable when Hermes cannot be asked', async () => {
    const broken = { hermes: { command: ['hermes'], python: '/bin/false' }, pluginDir: '/', profileHome: '/', env: {} };
    expect(await withReachableModel(FOUND, broken)).toMatchObject({ kind: null });
  });
});
