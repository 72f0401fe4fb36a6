import { existsSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveConfig } from '#src/config.js';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { loadConfig } from '#src/hermes/configYaml.js';
import { markerKey } from '#src/hermes/paths.js';
import type { HostServices } from '#src/ports.js';
import type { ModelChoice } from '#src/schemas.js';
import { bootstrap } from '#src/services/bootstrap.js';
import { initDefaults, initProfile } from '#src/services/init.js';
import type { InitInput } from '#src/services/initPlan.js';
import { pauseProfile, resumeProfile } from '#src/services/pause.js';
import { learnedLayer, requireProfile } from '#src/services/requireProfile.js';
import { createExperiment } from '#src/store/experiments.js';
import { findProfile } from '#src/store/profiles.js';
import { testContext, temporaryDirectory, type TestContext, type TestContextOptions } from '../../support/context.js';

const host: HostServices = { completeWithHostModel: () => Promise.reject(new Error('no call expected')) };
const remote: ModelChoice = { base_url: 'https://models.example/v1', model: 'big' };
const judge: ModelChoice = { base_url: 'http://127.0.0.1:8080/v1', model: 'small', api_key_env: 'JUDGE_KEY' };
const CONFIG = 'model: {provider: custom, default: agent-model, base_url: "http://127.0.0.1:9/v1"}\n';

function fresh(options: TestContextOptions = {}): TestContext {
  const fixture = testContext({ initialised: false, ...options, context: { host, ...options.context } });
  writeFileSync(join(fixture.home, 'config.yaml'), CONFIG);
  return fixture;
}

async function failure(work: Promise<unknown>): Promise<KarpathyError> {
  try {
    await work;
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const GOOD = { budgetTokens: 9_000_000, acceptDisclosure: true } as const;

describe('init', () => {
  test('stores target, models and budget, switches the hooks on, and says what comes next', async () => {
    const { ctx } = fresh();
    const result = await initProfile(ctx, { ...GOOD, proposer: remote, judge, budgetUsd: null });
    expect(result.created).toBe(true);
    expect(requireProfile(ctx)).toMatchObject({
      targetRelpath: 'SOUL.md',
      proposer: remote,
      judge,
      budgetTokens: 9_000_000,
      budgetUsd: null,
      disclosureAcceptedAt: ctx.clock.now(),
    });
    expect(existsSync(join(ctx.paths.enabledMarkers, markerKey(ctx.profile.rootPath)))).toBe(true);
    expect(statSync(ctx.paths.dataDir).mode & 0o777).toBe(0o700);
    expect(result.next.join('\n')).toContain('hermes -p dev karpathy scenario import');
    expect(result.warnings.join('\n')).toContain('JUDGE_KEY');
  });

  test('says who will see which text, by name and place', async () => {
    const { ctx } = fresh();
    const { disclosure } = await initProfile(ctx, { ...GOOD, proposer: remote, judge });
    expect(disclosure[0]).toMatch(
      /proposer, big at models\.example, sees the whole of SOUL\.md.*tool calls.*never sees a holdout/,
    );
    expect(disclosure[1]).toMatch(
      /judge, small at 127\.0\.0\.1:8080 \(this machine\).*the tool calls.*holdout included/,
    );
    expect(disclosure[2]).toContain('custom agent-model at 127.0.0.1:9 (this machine)');
    expect(disclosure[3]).toMatch(/answered, not run, unless.*contained.*real/);
    expect(disclosure[4]).toContain(ctx.paths.dbPath);
  });

  test('what is switched off by privacy settings is not announced', async () => {
    const { ctx } = fresh({ config: { privacy: { tool_traces: false, metrics: false } } });
    const { disclosure } = await initProfile(ctx, GOOD);
    expect(disclosure[0]).not.toMatch(/tool calls|counts/);
  });

  test("the default proposer is the host's own model, and there is no judge", async () => {
    const { ctx } = fresh();
    const { models } = await initProfile(ctx, GOOD);
    expect(models).toEqual({
      agent: 'custom agent-model at 127.0.0.1:9 (this machine)',
      proposer: "the agent's own model (custom agent-model at 127.0.0.1:9 (this machine))",
      judge: null,
    });
    expect(requireProfile(ctx).proposer).toEqual({ host: true });
  });

  test('shows an estimate with its basis, and warns of a budget below it', async () => {
    const { ctx } = fresh();
    const result = await initProfile(ctx, { ...GOOD, budgetTokens: 1000 });
    expect(result.estimate.tokens).toBeGreaterThan(1_000_000);
    expect(result.estimate.basis).toContain('no holdout scenarios yet');
    expect(result.warnings.join('\n')).toContain('below the estimate');
  });

  test('again changes only what is named, and asks again only when a model changed', async () => {
    const { ctx, clock } = fresh();
    const { row } = await initProfile(ctx, { ...GOOD, proposer: remote });
    clock.advance(1000);
    const second = await initProfile(ctx, { budgetTokens: 5, acceptDisclosure: false });
    expect(second.created).toBe(false);
    expect(second.row).toMatchObject({
      id: row.id,
      proposer: remote,
      budgetTokens: 5,
      disclosureAcceptedAt: row.disclosureAcceptedAt,
      updatedAt: clock.now(),
    });
    expect((await failure(initProfile(ctx, { judge, acceptDisclosure: false }))).code).toBe('needs_person');
    expect((await initProfile(ctx, { judge, acceptDisclosure: true })).row.disclosureAcceptedAt).toBe(clock.now());
  });

  test('keeps a pause', async () => {
    const { ctx } = fresh();
    await initProfile(ctx, GOOD);
    pauseProfile(ctx, { reason: 'holidays' });
    await initProfile(ctx, GOOD);
    expect(requireProfile(ctx).pauseReason).toBe('holidays');
  });

  test('config.yaml wins over what is stored, and it is said', async () => {
    const fixture = fresh();
    const { root } = fixture;
    writeFileSync(
      join(root, 'config.yaml'),
      'plugins:\n  karpathy_self_improve:\n    models: {proposer: {base_url: "http://h/v1", model: c}}\n    budget: {tokens: 77}\n',
    );
    const ctx = { ...fixture.ctx, config: loadConfig({ root }, 'dev', {}) };
    const result = await initProfile(ctx, { ...GOOD, proposer: remote });
    expect(result.choices.proposer).toEqual({ base_url: 'http://h/v1', model: 'c' });
    expect(result.budget).toEqual({ usd: null, tokens: 77 });
    expect(result.warnings.join('\n')).toContain('models.proposer is set in config.yaml');
    const learned = loadConfig({ root }, 'dev', {}, learnedLayer(result.row));
    expect(learned.config.budget.tokens).toBe(77);
    writeFileSync(join(root, 'config.yaml'), '');
    const bare = loadConfig({ root }, 'dev', {}, learnedLayer(result.row));
    expect(bare.config).toMatchObject({ models: { proposer: remote }, budget: { tokens: 9_000_000, usd: null } });
    expect(bare.sources.get('models.proposer')).toBe('init');
  });
});

describe('init refuses, and changes nothing', () => {
  const outside = temporaryDirectory();
  writeFileSync(join(outside, 'SOUL.md'), 'elsewhere\n');

  const targets: readonly [string, (home: string) => void, RegExp][] = [
    ['missing', (home) => rmSync(join(home, 'SOUL.md')), /does not exist/],
    ['empty', (home) => writeFileSync(join(home, 'SOUL.md'), ' \n'), /is empty/],
    ['binary', (home) => writeFileSync(join(home, 'SOUL.md'), Buffer.from([65, 0, 66])), /is binary/],
    ['not UTF-8', (home) => writeFileSync(join(home, 'SOUL.md'), Buffer.from([0xc3, 0x28])), /is not UTF-8/],
    ['oversized', (home) => writeFileSync(join(home, 'SOUL.md'), 'a'.repeat(20_001)), /20001 characters/],
    [
      'a directory',
      (home) => {
        rmSync(join(home, 'SOUL.md'));
        mkdirSync(join(home, 'SOUL.md'));
      },
      /is a directory/,
    ],
    [
      'a link that leads out',
      (home) => {
        rmSync(join(home, 'SOUL.md'));
        symlinkSync(join(outside, 'SOUL.md'), join(home, 'SOUL.md'));
      },
      /leads outside the profile/,
    ],
  ];

  test.each(targets)('a target that is %s', async (_, spoil, message) => {
    const { ctx, home } = fresh();
    spoil(home);
    const error = await failure(initProfile(ctx, GOOD));
    expect(error).toMatchObject({ code: 'bad_target', exitCode: 2 });
    expect(error.message).toMatch(message);
    expect(findProfile(ctx.db, ctx.profile.rootPath)).toBeNull();
    expect(existsSync(ctx.paths.enabledMarkers)).toBe(false);
  });

  test('a target that Hermes blocks or truncates', async () => {
    const checkPrompt = async () => ({
      blocked: true,
      truncated: false,
      limitChars: 20_000,
      findings: ['looks like an injection'],
    });
    const { ctx } = fresh({ context: { checkPrompt } });
    const error = await failure(initProfile(ctx, GOOD));
    expect(error).toMatchObject({ code: 'blocked_by_host', exitCode: 3 });
    expect(error.problems[0]?.message).toBe('looks like an injection');
  });

  const inputs: readonly [string, InitInput, string, number][] = [
    ['no budget at all', {}, 'bad_usage', 2],
    ['a budget of 0', { budgetTokens: 0 }, 'bad_usage', 2],
    ['a negative budget', { budgetUsd: -1 }, 'bad_usage', 2],
    ['half a token', { budgetTokens: 0.5 }, 'bad_usage', 2],
    ['an endless budget', { budgetUsd: Infinity }, 'bad_usage', 2],
    ['a budget in USD for models without a price', { budgetUsd: 5 }, 'price_unknown', 3],
    [
      'the same model as proposer and judge',
      { budgetTokens: 1, proposer: remote, judge: { ...remote, base_url: 'https://models.example/v1/' } },
      'same_model',
      3,
    ],
    ["the host's own model as judge of itself", { budgetTokens: 1, judge: { host: true } }, 'same_model', 3],
    [
      "the host's model under its own address",
      { budgetTokens: 1, judge: { base_url: 'http://127.0.0.1:9/v1', model: 'agent-model' } },
      'same_model',
      3,
    ],
    ['an absolute target', { budgetTokens: 1, target: '/etc/hostname' }, 'bad_target', 2],
  ];

  test.each(inputs)('%s', async (_, input, code, exitCode) => {
    const { ctx } = fresh();
    expect(await failure(initProfile(ctx, { ...input, acceptDisclosure: true }))).toMatchObject({ code, exitCode });
    expect(findProfile(ctx.db, ctx.profile.rootPath)).toBeNull();
  });

  test('a missing budget comes with the estimate', async () => {
    const { ctx } = fresh();
    const { hint } = await failure(initProfile(ctx, { acceptDisclosure: true }));
    expect(hint).toMatch(/about [\d,]+ tokens.*--budget-tokens \d+/s);
  });

  test("without an agreement to who sees which text, or with one from an agent's shell", async () => {
    const { ctx } = fresh();
    const error = await failure(initProfile(ctx, { budgetTokens: 1, acceptDisclosure: false }));
    expect(error.code).toBe('needs_person');
    expect(error.problems.map((p) => p.message).join('\n')).toContain('The proposer');
    const agent = fresh({ surface: { agentShell: true } });
    expect((await failure(initProfile(agent.ctx, GOOD))).code).toBe('needs_person');
    expect(findProfile(agent.db, agent.ctx.profile.rootPath)).toBeNull();
  });

  test('no proposer where there is no host', async () => {
    const { ctx } = fresh({ context: { host: null } });
    expect((await failure(initProfile(ctx, GOOD))).hint).toContain('OpenAI-compatible');
    expect((await initProfile(ctx, { ...GOOD, proposer: remote })).created).toBe(true);
  });

  test('another target while an experiment is in flight', async () => {
    const fixture = fresh();
    const { ctx, home, db } = fixture;
    const { row } = await initProfile(ctx, GOOD);
    writeFileSync(join(home, 'OTHER.md'), 'Other.\n');
    createExperiment(db, {
      profileId: row.id,
      profile: row.name,
      targetProfileRoot: row.rootPath,
      targetRelpath: row.targetRelpath,
      actor: ctx.actor,
      reason: 'a test',
      at: ctx.clock.now(),
    });
    expect(await failure(initProfile(ctx, { ...GOOD, target: 'OTHER.md' }))).toMatchObject({
      code: 'in_flight',
      exitCode: 3,
    });
    expect(requireProfile(ctx).targetRelpath).toBe('SOUL.md');
  });
});

test('a budget in USD is taken when every model has a price', async () => {
  const price = { input: 1, output: 2 };
  const { ctx } = fresh({ config: { prices: { big: price, 'agent-model': price } } });
  const { budget } = await initProfile(ctx, { budgetUsd: 5, proposer: remote, acceptDisclosure: true });
  expect(budget).toEqual({ usd: 5, tokens: null });
});

describe('bootstrap', () => {
  test('sets up without a question, and a second time changes nothing', async () => {
    const { ctx, clock } = fresh();
    const first = await bootstrap(ctx);
    expect(first.created).toBe(true);
    const stored = requireProfile(ctx);
    expect(stored).toMatchObject({ targetRelpath: 'SOUL.md', proposer: { host: true }, judge: null, budgetUsd: null });
    expect(stored.budgetTokens).toBeGreaterThan(first.init.estimate.tokens);
    expect(first.findings.some((f) => f.area === 'suite' && f.level === 'error')).toBe(true);
    clock.advance(5000);
    expect((await bootstrap(ctx)).created).toBe(false);
    expect({ ...requireProfile(ctx), updatedAt: 0 }).toEqual({ ...stored, updatedAt: 0 });
  });

  test('asks for an agreement before text goes to anybody new', async () => {
    const { ctx } = fresh();
    expect((await failure(bootstrap(ctx, { proposer: remote }))).code).toBe('needs_person');
    expect((await bootstrap(ctx, { proposer: remote, acceptDisclosure: true })).created).toBe(true);
  });
});

test('the guided set-up is offered what there is already, else what fits', async () => {
  const { ctx } = fresh();
  const offered = initDefaults(ctx);
  expect(offered).toMatchObject({
    existing: null,
    target: 'SOUL.md',
    proposer: { host: true },
    judge: null,
    budgetUsd: null,
  });
  await initProfile(ctx, { ...GOOD, proposer: remote });
  expect(initDefaults(ctx)).toMatchObject({ proposer: remote, budgetTokens: GOOD.budgetTokens });
});

describe('pause and resume', () => {
  test('a pause keeps its first time; a person resumes', () => {
    const { ctx, clock } = testContext();
    const at = clock.now();
    pauseProfile(ctx, { reason: 'a' });
    clock.advance(10);
    expect(pauseProfile(ctx)).toMatchObject({ pausedAt: at, pauseReason: 'a' });
    const background = { ...ctx, surface: { ...ctx.surface, kind: 'work' as const } };
    expect(() => resumeProfile(background)).toThrow(expect.objectContaining({ code: 'needs_person' }));
    expect(resumeProfile(ctx)).toMatchObject({ pausedAt: null, pauseReason: null });
  });
});

test('a profile that is not set up says how to', () => {
  const { ctx } = fresh();
  expect(() => requireProfile(ctx)).toThrow(
    expect.objectContaining({
      code: 'not_initialised',
      hint: expect.stringContaining('hermes -p dev karpathy init') as string,
    }),
  );
  expect(resolveConfig([learnedLayer(null)]).config.budget).toEqual({ usd: null, tokens: null });
});
