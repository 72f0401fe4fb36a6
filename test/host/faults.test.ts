import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, expect, it } from 'vitest';
import { NO_SECRETS } from '#src/domain/secrets.js';
import { createWarmRunner } from '#src/evaluation/warmRunner.js';
import { evaluateExperiment } from '#src/services/evaluate.js';
import { testConfig, testContext, type TestContext } from '#test/support/context.js';
import { appendedLine, proposed } from '#test/support/experiments.js';
import { currentInstall } from '#test/support/hermesInstall.js';
import {
  call,
  draw,
  fail,
  identityOf,
  say,
  startModelServer,
  systemPromptOf,
  textOf,
} from '#test/support/modelServer/index.js';
import type { ChatRequest, ModelServer, Reply, Responder } from '#test/support/modelServer/index.js';
import { addScenarios } from '#test/support/suites.js';

const SENTENCE = 'End with a one-line summary.';
const SOUL = 'You are Fern, who helps in a garden shop.\n';
const SUBJECTS = ['apples', 'roses', 'herbs', 'hedges', 'slugs', 'lawns', 'ferns', 'peat', 'pots', 'moss'];
/** Asked about this under the candidate, the subscription is used up, once. */
const LIMIT_AT = 'slugs';
/** Subjects on which the incumbent ends with a summary by itself. */
const EASY = ['apples', 'moss'];

/** What the provider did with one request. */
type Entry = 'pass' | 'fail' | 'error 500' | 'no answer' | 'usage limit';

/** A provider with 10 % of errors, 5 % of requests without an answer, and one usage limit; it keeps a ledger. */
function faultyProvider() {
  const ledger = new Map<string, Entry[]>();
  const decide = (arm: string, subject: string, nth: number): Entry => {
    if (arm === 'candidate' && subject === LIMIT_AT && nth === 0) return 'usage limit';
    const luck = draw('faults', arm, subject, String(nth));
    if (luck < 0.1) return 'error 500';
    if (luck < 0.15) return 'no answer';
    return arm === 'candidate' || EASY.includes(subject) ? 'pass' : 'fail';
  };
  const replies: Record<Entry, Reply> = {
    pass: say('All is well.\nIn short: fine.'),
    fail: say('All is well.'),
    'error 500': fail(500, 'upstream broke'),
    'no answer': { kind: 'hang' },
    'usage limit': fail(429, 'You have reached the usage limit of your subscription.'),
  };
  const respond = (request: ChatRequest): Reply => {
    // Titles are asked for without tools, whenever the host likes.
    if ((request.tools?.length ?? 0) === 0) return say('A title');
    const subject = /about (\w+)/.exec(textOf(request.messages.findLast(({ role }) => role === 'user')))?.[1] ?? '';
    const arm = identityOf(systemPromptOf(request)).includes(SENTENCE) ? 'candidate' : 'incumbent';
    const entries = ledger.get(`${arm} ${subject}`) ?? [];
    const entry = decide(arm, subject, entries.length);
    ledger.set(`${arm} ${subject}`, [...entries, entry]);
    return replies[entry];
  };
  return { ledger, respond };
}

interface StoredTrial {
  readonly id: number;
  readonly subject: string;
  readonly arm: 'incumbent' | 'candidate';
  readonly epoch: number;
  readonly attempt: number;
  readonly slot: number;
  readonly outcome: string;
  readonly reason: string | null;
}

function storedTrials(test: TestContext): StoredTrial[] {
  return test.db
    .prepare<[], StoredTrial>(
      `SELECT t.id, s.name AS subject, t.arm, t.epoch, t.attempt, t.slot, t.outcome, t.infra_reason AS reason
       FROM trials t JOIN scenarios s ON s.id = t.scenario_id ORDER BY t.id`,
    )
    .all();
}

/** A stored trial in the words of the ledger. */
function entryOf({ outcome, reason }: StoredTrial): string {
  if (outcome !== 'infra') return outcome;
  if (reason?.startsWith('usage limit')) return 'usage limit';
  if (reason?.startsWith('provider error')) return 'error 500';
  return reason === 'the model gave no answer before the deadline' ? 'no answer' : `infra: ${reason}`;
}

function pairs(trials: readonly StoredTrial[]): Map<string, StoredTrial[]> {
  const found = new Map<string, StoredTrial[]>();
  for (const trial of trials) {
    const key = `${trial.subject} ${trial.epoch}`;
    found.set(key, [...(found.get(key) ?? []), trial]);
  }
  return found;
}

/** The two trials of a pair that count. */
function counted(trials: readonly StoredTrial[]): StoredTrial[] {
  const attempts = [...new Set(trials.map(({ attempt }) => attempt))].map((attempt) =>
    trials.filter((trial) => trial.attempt === attempt),
  );
  return attempts.find((of) => of.length === 2 && of.every(({ outcome }) => outcome !== 'infra')) ?? [];
}

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

interface ShopOptions {
  readonly respond: Responder;
  readonly subjects: readonly string[];
  readonly epochs: number;
  readonly timeoutSeconds: number;
}

async function shop({ respond, subjects, epochs, timeoutSeconds }: ShopOptions): Promise<{
  test: TestContext;
  server: ModelServer;
  experimentId: number;
}> {
  const server = await startModelServer({ models: { agent: respond } });
  closing.push(() => server.close());
  const install = currentInstall();
  const hermes = { command: [install.hermes], python: install.python };
  const test = testContext({
    soul: SOUL,
    context: {
      hermes,
      config: testConfig({
        budget: { tokens: 1_000_000_000 },
        gate: { alpha: 0.2, epochs, min_power: 0 },
        runner: { concurrency: 2, timeout_seconds: timeoutSeconds },
      }),
      makeRunner: async (setup) =>
        createWarmRunner({
          ...setup,
          hermes,
          slotsDir: join(test.root, 'slots'),
          pluginDir: process.cwd(),
          scrub: NO_SECRETS,
          env: process.env,
          prices: {},
          log: test.log,
        }),
    },
  });
  const model = { provider: 'custom', default: 'agent', base_url: server.baseUrl, api_key: 'local' };
  // One request per trial: the ledger and the trials are compared one by one.
  const config = { model, agent: { api_max_retries: 1 }, platform_toolsets: { cli: ['todo'] } };
  writeFileSync(join(test.home, 'config.yaml'), stringify(config));
  addScenarios(test, {
    names: subjects,
    split: 'holdout',
    spec: (name) => ({ input: `Tell me about ${name}.`, checks: [{ regex: '(?m)^In short: ' }] }),
  });
  return { test, server, experimentId: proposed(test, appendedLine(test, SENTENCE)) };
}

it('a provider with errors, time-outs and a usage limit loses no trial and falsifies none', async () => {
  const { ledger, respond } = faultyProvider();
  const { test, experimentId } = await shop({ respond, subjects: SUBJECTS, epochs: 2, timeoutSeconds: 8 });
  const number = (sql: string): number => test.db.prepare(sql).pluck().get() as number;

  // The usage limit stops the run, and leaves one that can be gone on with.
  await expect(evaluateExperiment(test.ctx, experimentId)).rejects.toMatchObject({ code: 'model_limit' });
  expect(number("SELECT COUNT(*) FROM eval_runs WHERE state = 'interrupted'")).toBe(1);
  const before = storedTrials(test);
  const done = [...pairs(before)].filter(([, of]) => counted(of).length === 2).map(([pair]) => pair);
  expect(before.map(entryOf).filter((entry) => entry === 'usage limit')).toHaveLength(1);
  expect(done.length).toBeGreaterThan(0);

  const verdict = await evaluateExperiment(test.ctx, experimentId);
  const trials = storedTrials(test);
  expect(number('SELECT COUNT(*) FROM eval_runs')).toBe(1);
  expect(number('SELECT COUNT(*) FROM error_budget_ledger')).toBe(1);
  expect(number("SELECT COUNT(*) FROM cost_ledger WHERE state = 'reserved'")).toBe(0);

  // What was finished before the stop was not run again.
  expect(trials.slice(0, before.length)).toEqual(before);
  const later = new Set(trials.slice(before.length).map(({ subject, epoch }) => `${subject} ${epoch}`));
  expect(done.filter((pair) => later.has(pair))).toEqual([]);

  // Trial by trial, the store says what the provider did. Only what the stop cut off in the other slot is missing.
  let cutOff = 0;
  for (const [key, entries] of ledger) {
    const stored = trials.filter(({ arm, subject }) => `${arm} ${subject}` === key).map(entryOf);
    if (entries.length === stored.length + 1) {
      cutOff += 1;
      const without = entries.map((_, i) => entries.filter((_, j) => j !== i));
      expect(without).toContainEqual(stored);
    } else expect(stored, key).toEqual(entries);
  }
  expect(cutOff).toBeLessThanOrEqual(1);
  expect(trials).toHaveLength([...ledger.values()].flat().length - cutOff);
  const faults = trials.filter(({ outcome }) => outcome === 'infra').map(entryOf);
  expect(new Set(faults)).toEqual(new Set(['error 500', 'no answer', 'usage limit']));

  // Retried by pair: an attempt with a fault counts for neither arm, both arms of the one that counts had one slot, and
  // only a pair that was lost three times is given up.
  let unexplained = 0;
  let complete = 0;
  for (const [pair, of] of pairs(trials)) {
    const [first, second] = counted(of);
    const faulty = new Set(of.filter(({ outcome }) => outcome === 'infra').map(({ attempt }) => attempt));
    unexplained += Math.max(...of.map(({ attempt }) => attempt)) - faulty.size - (first === undefined ? 0 : 1);
    if (first === undefined) {
      expect(faulty.size, pair).toBe(3);
      continue;
    }
    complete += 1;
    expect([first.arm, second?.arm].sort(), pair).toEqual(['candidate', 'incumbent']);
    expect(second?.slot, pair).toBe(first.slot);
    expect(
      of.every(({ attempt }) => attempt <= first.attempt),
      pair,
    ).toBe(true);
  }
  expect(unexplained).toBeLessThanOrEqual(1);

  // The verdict rests on exactly those pairs: every subject but the easy ones gained.
  expect(verdict).toMatchObject({ verdict: 'keep', groups: SUBJECTS.length });
  expect(verdict.coverage).toBeCloseTo(complete / (SUBJECTS.length * 2));
  expect(verdict.effect).toBeCloseTo((SUBJECTS.length - EASY.length) / SUBJECTS.length);
});

it('a network that vanishes loses no trial to either arm; once it is back, every pair is counted once', async () => {
  const subjects = SUBJECTS.slice(0, 8);
  const finished = new Map<string, number>();
  let asked = 0;
  // Each trial takes two calls; it is in the middle of one that the third of them never gets its second answer.
  const respond: Responder = (request) => {
    if ((request.tools?.length ?? 0) === 0) return say('A title');
    if (request.messages.at(-1)?.role !== 'tool') return call('todo', { todos: [] }, 'c1');
    asked += 1;
    if (asked === 3) {
      first.server.vanish();
      return { kind: 'hang' };
    }
    const arm = identityOf(systemPromptOf(request)).includes(SENTENCE) ? 'candidate' : 'incumbent';
    finished.set(arm, (finished.get(arm) ?? 0) + 1);
    return say(arm === 'candidate' ? 'All is well.\nIn short: fine.' : 'All is well.');
  };
  const first = await shop({ respond, subjects, epochs: 1, timeoutSeconds: 5 });
  const { test, experimentId, server } = first;

  await expect(evaluateExperiment(test.ctx, experimentId)).rejects.toMatchObject({
    code: 'outage',
    message: expect.stringMatching(/^The last \d+ trials were all lost .* What is finished is kept\.$/) as string,
    hint: expect.stringContaining('Check the network') as string,
  });
  const before = storedTrials(test);
  const lost = before.filter(({ outcome }) => outcome === 'infra');
  expect(lost.map(({ reason }) => reason)).toContain('the provider could not be reached when the time was up');
  expect(new Set(lost.map(({ arm }) => arm))).toEqual(new Set(['incumbent', 'candidate']));
  expect(before.length - lost.length).toBe([...finished.values()].reduce((sum, n) => sum + n, 0));

  const back = await startModelServer({ models: { agent: respond }, port: server.port });
  closing.push(() => back.close());
  expect(await evaluateExperiment(test.ctx, experimentId)).toMatchObject({
    ...{ verdict: 'keep', groups: subjects.length, coverage: 1, effect: 1 },
  });
  const trials = storedTrials(test);
  expect(trials.slice(0, before.length)).toEqual(before);
  for (const [pair, of] of pairs(trials))
    expect(
      counted(of)
        .map(({ arm }) => arm)
        .sort(),
      pair,
    ).toHaveLength(2);
  // Whatever the provider answered to the end is a trial of that arm, passed or failed as it was answered.
  expect(trials.filter(({ outcome }) => outcome === 'pass')).toHaveLength(finished.get('candidate') ?? 0);
  expect(trials.filter(({ outcome }) => outcome === 'fail')).toHaveLength(finished.get('incumbent') ?? 0);
  expect(trials.filter(({ arm, outcome }) => outcome === (arm === 'candidate' ? 'fail' : 'pass'))).toEqual([]);
});
