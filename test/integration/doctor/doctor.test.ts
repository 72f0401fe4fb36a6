import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { KarpathyError } from '#src/errors.js';
import type { LanguageModel } from '#src/ports.js';
import type { ModelChoice } from '#src/schemas.js';
import type { Context } from '#src/services/context.js';
import { doctor, type Finding } from '#src/services/doctor.js';
import { importScenarios } from '#src/services/scenarios.js';
import { listScenarios } from '#src/store/scenarios.js';
import { insertProcessEvent, quarantineLine } from '#src/store/spool.js';
import { testContext, temporaryDirectory, type TestContext } from '../../support/context.js';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

async function findings(
  fixture: TestContext,
  area: Finding['area'],
  context: Partial<Context> = {},
): Promise<Finding[]> {
  return (await doctor({ ...fixture.ctx, ...context })).filter((finding) => finding.area === area);
}

function said(list: readonly Finding[], level: Finding['level']): string {
  return list
    .filter((f) => f.level === level)
    .map((f) => `${f.message} | ${f.fix ?? ''}`)
    .join('\n');
}

function executable(text: string): string {
  const path = join(temporaryDirectory(), 'hermes');
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

function hermes(version: string): Context['hermes'] {
  return {
    command: [executable(`#!/bin/sh\necho 'Hermes Agent v${version} (2026.1.1)'\n`)],
    python: '/usr/bin/python3',
  };
}

describe('doctor as a whole', () => {
  test('works before init and says so', async () => {
    const fixture = testContext({ initialised: false });
    const target = await findings(fixture, 'target');
    expect(said(target, 'error')).toMatch(/not set up yet.*hermes -p dev karpathy init/);
    expect(said(target, 'ok')).toContain('SOUL.md');
  });

  test('every warning and error but a repaired one says what to do', async () => {
    const fixture = testContext({ soul: null });
    const all = await doctor(fixture.ctx);
    expect(all.length).toBeGreaterThan(5);
    expect(all.filter((f) => f.level !== 'ok' && f.fix === undefined)).toEqual([]);
  });

  test('a check that breaks is a finding, and the others still run', async () => {
    const fixture = testContext();
    writeFileSync(join(fixture.home, 'config.yaml'), 'a: [\n');
    const all = await doctor(fixture.ctx);
    expect(all.filter((f) => f.level === 'error' && /not valid YAML/.test(f.message)).map((f) => f.area)).toEqual(
      expect.arrayContaining(['installation', 'target', 'models']),
    );
    expect(all.some((f) => f.area === 'spool' && f.level === 'ok')).toBe(true);
  });
});

describe('installation', () => {
  const plugins = (fixture: TestContext, list: string): void =>
    writeFileSync(join(fixture.home, 'config.yaml'), `plugins: {enabled: [${list}]}\n`);

  function install(fixture: TestContext, home: string, from?: string): string {
    const source = from ?? join(fixture.root, 'plugins', 'karpathy-self-improve');
    mkdirSync(source, { recursive: true });
    const place = join(home, 'plugins', 'karpathy-self-improve');
    if (place === source) return source;
    mkdirSync(join(home, 'plugins'), { recursive: true });
    symlinkSync(source, place);
    return source;
  }

  test('says whether the plugin is here, and whether it is switched on', async () => {
    const fixture = testContext();
    expect(said(await findings(fixture, 'installation'), 'warn')).toContain('install --profile dev');
    install(fixture, fixture.home);
    expect(said(await findings(fixture, 'installation'), 'error')).toContain(
      'hermes -p dev plugins enable karpathy-self-improve',
    );
    plugins(fixture, 'karpathy-self-improve');
    expect(said(await findings(fixture, 'installation'), 'ok')).toContain('Installed and enabled in the profile dev');
  });

  test('names other profiles that share the install, and those with another copy', async () => {
    const fixture = testContext();
    const other = (name: string): string => {
      const home = join(fixture.root, 'profiles', name);
      mkdirSync(home, { recursive: true });
      return home;
    };
    install(fixture, fixture.home);
    install(fixture, other('shares'));
    install(fixture, other('apart'), temporaryDirectory());
    const list = await findings(fixture, 'installation');
    expect(said(list, 'ok')).toMatch(/Other profiles with the plugin:.*shares/);
    expect(said(list, 'warn')).toMatch(/profile apart has another copy.*install --profile apart/);
  });

  test('names settings for a profile that does not exist', async () => {
    const fixture = testContext();
    writeFileSync(
      join(fixture.root, 'config.yaml'),
      'plugins:\n  karpathy_self_improve:\n    profiles: {dve: {gate: {epochs: 2}}, dev: {}}\n',
    );
    const warnings = said(await findings(fixture, 'installation'), 'warn');
    expect(warnings).toContain('a profile dve, which does not exist');
    expect(warnings).not.toContain('a profile dev,');
  });

  test.each([
    ['another Node ABI', { abi: '1' }, /built for Node ABI 1/],
    ['a Node that is gone', { node: '/gone/node' }, /\/gone\/node, is gone/],
    ['a directory that is gone', { dir: '/gone' }, /runtime \/gone is incomplete/],
    ['nothing wrong', {}, null],
  ])('checks the runtime: %s', async (_, spoiled, message) => {
    const fixture = testContext();
    const dir = join(fixture.ctx.paths.runtimeDir, 'b1-1');
    mkdirSync(join(dir, 'dist'), { recursive: true });
    writeFileSync(join(dir, 'dist', 'worker.mjs'), '');
    const current = {
      build: 'b1',
      dir,
      node: process.execPath,
      abi: process.versions.modules,
      version: '1.2.3',
      ...spoiled,
    };
    writeFileSync(join(fixture.ctx.paths.runtimeDir, 'current.json'), JSON.stringify(current));
    const list = await findings(fixture, 'installation');
    if (message === null) expect(said(list, 'ok')).toContain('Version 1.2.3, build b1');
    else expect(said(list, 'error')).toMatch(message);
    expect(said(list, 'error')).toMatch(message === null ? /^$/ : /hermes karpathy setup/);
  });

  test('a runtime of another build than the plugin directory is stale', async () => {
    const fixture = testContext();
    const dir = join(fixture.root, 'dist');
    mkdirSync(fixture.ctx.paths.runtimeDir, { recursive: true });
    mkdirSync(dir);
    writeFileSync(join(dir, 'worker.mjs'), '');
    writeFileSync(join(dir, 'build.json'), JSON.stringify({ build: 'new', version: '2' }));
    const current = {
      build: 'old',
      dir: fixture.root,
      node: process.execPath,
      abi: process.versions.modules,
      version: '1',
    };
    writeFileSync(join(fixture.ctx.paths.runtimeDir, 'current.json'), JSON.stringify(current));
    expect(said(await findings(fixture, 'installation'), 'warn')).toMatch(
      /build old; the plugin directory was built as new/,
    );
  });
});

describe('host', () => {
  test('no Hermes, an old one, a broken one, a good one', async () => {
    const fixture = testContext();
    expect(said(await findings(fixture, 'host', { hermes: null }), 'error')).toMatch(
      /No Hermes executable.*runner\.hermes/,
    );
    expect(said(await findings(fixture, 'host', { hermes: hermes('0.18.4') }), 'error')).toContain('too old');
    const broken = { command: [executable('#!/bin/sh\nexit 1\n')], python: 'python3' };
    expect(said(await findings(fixture, 'host', { hermes: broken }), 'error')).toContain('does not say its version');
    const gone = { command: ['/gone/hermes'], python: 'python3' };
    expect(said(await findings(fixture, 'host', { hermes: gone }), 'error')).toContain('does not say its version');
    expect(said(await findings(fixture, 'host', { hermes: hermes('0.19.0') }), 'ok')).toContain('Hermes 0.19.0');
  });

  test('which runner trials will use is said', async () => {
    const fixture = testContext({ config: { runner: { kind: 'cold' } } });
    expect(said(await findings(fixture, 'host', { hermes: hermes('0.19.0') }), 'ok')).toContain('Trials run cold');
  });

  test('a running process that loaded an older build is named; one that ended is not', async () => {
    const fixture = testContext();
    writeFileSync(join(fixture.root, 'package.json'), '{}');
    mkdirSync(join(fixture.root, 'dist'));
    writeFileSync(join(fixture.root, 'dist', 'build.json'), JSON.stringify({ build: 'now', version: '1' }));
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'hermes']);
    children.push(child);
    await once(child, 'spawn');
    const ended = spawn(process.execPath, ['-e', '0', 'hermes']);
    await once(ended, 'exit');
    for (const [pid, argv] of [
      [child.pid, 'hermes gateway run'],
      [ended.pid, 'hermes chat'],
    ] as const) {
      insertProcessEvent(fixture.db, {
        v: 1,
        id: `p${pid}`,
        hook: 'process',
        pid: pid ?? 0,
        home: fixture.home,
        build: 'before',
        version: '1',
        host_version: '0.19.0',
        argv,
        at: 1,
      });
    }
    const warnings = said(await findings(fixture, 'host'), 'warn');
    expect(warnings).toMatch(new RegExp(`Process ${child.pid} \\(hermes gateway run\\) loaded build before.*Restart`));
    expect(warnings).not.toContain('hermes chat');
  });
});

describe('database', () => {
  test('an intact one is fine', async () => {
    expect(said(await findings(testContext(), 'database'), 'ok')).toContain('intact, WAL');
  });

  test('what is open to others is closed and said', async () => {
    const fixture = testContext();
    const { dbPath, dataDir } = fixture.ctx.paths;
    mkdirSync(dataDir, { recursive: true });
    chmodSync(dbPath, 0o644);
    chmodSync(dataDir, 0o755);
    const warnings = said(await findings(fixture, 'database'), 'warn');
    expect(warnings).toContain(`${dbPath} was open to others (mode 644); it is 600 now`);
    expect(statSync(dbPath).mode & 0o777).toBe(0o600);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(said(await findings(fixture, 'database'), 'warn')).toBe('');
  });

  test('rows that point to nothing are damage', async () => {
    const fixture = testContext();
    fixture.db.pragma('foreign_keys = OFF');
    fixture.db
      .prepare(
        "INSERT INTO holdout_consultations (profile_id, kind, actor, detail, at) VALUES (99, 'view', 'a', 'd', 1)",
      )
      .run();
    fixture.db.pragma('foreign_keys = ON');
    expect(said(await findings(fixture, 'database'), 'error')).toMatch(/is damaged: 1 rows.*snapshots/);
  });
});

describe('target', () => {
  test('a missing file, and one that Hermes would not read as a whole', async () => {
    const fixture = testContext();
    const checkPrompt = async () => ({
      blocked: false,
      truncated: true,
      limitChars: 10,
      findings: ['longer than 10 characters'],
    });
    const context = { checkPrompt, hermes: hermes('0.19.0') };
    expect(said(await findings(fixture, 'target', context), 'error')).toMatch(/truncates.*at most 10 characters/);
    expect(said(await findings(fixture, 'target', { hermes: hermes('0.19.0') }), 'ok')).toContain('as a whole');
    rmSync(fixture.target);
    expect(said(await findings(fixture, 'target'), 'error')).toContain('does not exist');
  });
});

describe('models', () => {
  const proposer: ModelChoice = { base_url: 'http://127.0.0.1:9/v1', model: 'p' };
  const judge: ModelChoice = { base_url: 'http://127.0.0.1:9/v1', model: 'j', api_key_env: 'SOME_KEY' };

  function fixtureWith(models: { proposer?: ModelChoice; judge?: ModelChoice }): TestContext {
    return testContext({ config: { models }, context: { env: { SOME_KEY: 'set' } } });
  }

  function answering(model: string): LanguageModel {
    const identity = { provider: 'x', base_url: null, model };
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
    return { configured: identity, complete: async () => ({ text: 'ready', identity, usage, costUsd: null }) };
  }

  test('each is called once and named as it answers', async () => {
    const makeModel = (choice: ModelChoice) => answering('base_url' in choice ? `true-${choice.model}` : 'host');
    const list = await findings(fixtureWith({ proposer, judge }), 'models', { makeModel });
    expect(said(list, 'ok')).toMatch(/proposer.*answers as x true-p/);
    expect(said(list, 'ok')).toMatch(/judge.*answers as x true-j/);
    expect(said(list, 'error')).toBe('');
  });

  test('two names behind which one model answers are found out', async () => {
    const list = await findings(fixtureWith({ proposer, judge }), 'models', { makeModel: () => answering('one') });
    expect(said(list, 'error')).toContain('Proposer and judge are the same model (x one)');
  });

  test('a model that is down is an error with what to do, and a missing key is named', async () => {
    const makeModel = (): LanguageModel => ({
      ...answering('x'),
      complete: () =>
        Promise.reject(new KarpathyError('model_failed', 'Nothing listens there.', { hint: 'Start it.' })),
    });
    const list = await findings(fixtureWith({ proposer, judge }), 'models', { makeModel, env: {} });
    expect(said(list, 'error')).toMatch(/proposer.*can't be used: Nothing listens there\. \| Start it\./);
    expect(said(list, 'error')).toMatch(/SOME_KEY, which holds the key of the judge, is not set/);
  });

  test('skipModels calls none', async () => {
    const fixture = fixtureWith({ proposer, judge });
    const makeModel = (): LanguageModel => {
      throw new Error('called');
    };
    const list = await doctor({ ...fixture.ctx, makeModel }, { skipModels: true });
    expect(list.some((f) => f.message.includes('called'))).toBe(false);
  });

  test('an agent whose login a trial cannot use is named before any scenario work', async () => {
    const fixture = fixtureWith({});
    writeFileSync(join(fixture.home, 'config.yaml'), 'model: {provider: qwen-oauth, default: q}\n');
    expect(said(await findings(fixture, 'models'), 'error')).toMatch(/qwen-oauth q, which trials can't use/);
    writeFileSync(join(fixture.home, 'config.yaml'), 'model: {provider: openai-codex, default: q}\n');
    expect(said(await findings(fixture, 'models'), 'ok')).toContain('trials use by a link');
  });
});

describe('suite and budget', () => {
  function suite(groups: number, more = ''): string {
    const holdout = Array.from(
      { length: groups },
      (_, i) => `- {name: h${i}, split: holdout, input: i, checks: [{must_contain: x}]}\n`,
    );
    return `${holdout.join('')}${more}`;
  }

  test('none, too few to ever keep anything, enough', async () => {
    const fixture = testContext();
    expect(said(await findings(fixture, 'suite'), 'error')).toMatch(/no scenarios.*scenario import/);
    importScenarios(fixture.ctx, suite(4));
    const few = await findings(fixture, 'suite');
    expect(said(few, 'error')).toMatch(
      /With 4 holdout groups no edit can ever be kept at alpha 0\.00238.*0\.063.*At least 10/,
    );
    expect(said(few, 'warn')).toContain('no train scenarios');
    importScenarios(fixture.ctx, suite(10, '- {name: t, input: i, checks: [{must_contain: x}]}\n'));
    const enough = await findings(fixture, 'suite');
    expect(said(enough, 'error') + said(enough, 'warn')).toBe('');
    expect(said(enough, 'ok')).toContain('1 train scenarios in 1 groups, 10 holdout in 10');
  });

  test('scenarios of one group count once', async () => {
    const fixture = testContext();
    importScenarios(fixture.ctx, suite(8).replaceAll('input: i', 'group: g, input: i'));
    expect(said(await findings(fixture, 'suite'), 'error')).toContain('With 1 holdout groups');
  });

  test('judge checks without a judge', async () => {
    const fixture = testContext();
    importScenarios(fixture.ctx, suite(5, '- {name: t, input: i, checks: [{judge: is kind}]}\n'));
    expect(said(await findings(fixture, 'suite'), 'error')).toContain('1 scenarios have a judge check');
  });

  test('scenarios that never vary are named in train and only counted in holdout', async () => {
    const fixture = testContext();
    importScenarios(fixture.ctx, suite(5, '- {name: easy, input: i, checks: [{must_contain: x}]}\n'));
    recordPasses(fixture, 6);
    const warnings = said(await findings(fixture, 'suite'), 'warn');
    expect(warnings).toMatch(/always passed.*: easy, 5 holdout scenarios/);
    expect(warnings).not.toMatch(/h[0-4]/);
  });

  test('a budget below the estimate, and none', async () => {
    const fixture = testContext();
    fixture.db.prepare('UPDATE profiles SET budget_tokens = 10').run();
    expect(said(await findings(fixture, 'budget'), 'warn')).toMatch(/below the estimate: 10 tokens an edit/);
    fixture.db.prepare('UPDATE profiles SET budget_tokens = NULL').run();
    expect(said(await findings(fixture, 'budget'), 'error')).toContain('No budget is set');
  });

  function recordPasses({ db, profileId }: TestContext, epochs: number): void {
    const run = db
      .prepare(
        "INSERT INTO eval_runs (profile_id, purpose, state, plan, plan_sha256, incumbent_sha256, created_at) VALUES (?, 'calibration', 'finished', '{}', 'p', 'i', 1)",
      )
      .run(profileId).lastInsertRowid;
    const insert = db.prepare(
      `INSERT INTO trials (eval_run_id, scenario_id, arm, epoch, slot, position, outcome, checks, tool_calls, duration_ms, started_at, finished_at)
       VALUES (?, ?, 'incumbent', ?, 1, 1, 'pass', '[]', '[]', 1, 1, 2)`,
    );
    for (const { id } of listScenarios(db, profileId)) {
      for (let epoch = 1; epoch <= epochs; epoch += 1) insert.run(run, id, epoch);
    }
  }
});

describe('spool', () => {
  test('an empty one, lines that were set aside, and a backlog', async () => {
    const fixture = testContext();
    expect(said(await findings(fixture, 'spool'), 'ok')).toContain('everything is counted');
    quarantineLine(fixture.db, { file: 'f', offset: 0, line: '{', reason: 'is not JSON', at: 1 });
    expect(said(await findings(fixture, 'spool'), 'warn')).toMatch(/1 lines.*is not JSON.*quarantine/);
    const { spoolDir } = fixture.ctx.paths;
    mkdirSync(spoolDir, { recursive: true });
    writeFileSync(join(spoolDir, '2026010500-aa.ndjson'), 'x'.repeat(5_100_000));
    expect(said(await findings(fixture, 'spool'), 'warn')).toMatch(/5\.1 MB of events wait.*tick/);
  });
});

test('doctor writes nothing into the profile', async () => {
  const fixture = testContext();
  const before = readFileSync(fixture.target);
  await doctor(fixture.ctx);
  expect(readFileSync(fixture.target)).toEqual(before);
});
