import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, test } from 'vitest';
import type { WrittenConfig } from '#src/config.js';
import { isKarpathyError } from '#src/errors.js';
import { work } from '#src/services/work.js';
import { runSlash } from '#src/slash/run.js';
import { listJobs } from '#src/store/jobs.js';
import { SLASH_NAMES } from '#src/text/next.js';
import { getExperiment } from '#src/store/experiments.js';
import { findProfile } from '#src/store/profiles.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { proposingContext } from '../../support/proposals.js';
import { addScenarios } from '../../support/suites.js';
import { appendedLine, approved, judged, live, NEW_SENTENCE, proposed } from '../../support/experiments.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

interface Chat {
  readonly platform?: string | null;
  readonly inGateway?: boolean;
  readonly agentShell?: boolean;
}

/** What the host does: every chat has its own process, whose environment names the session once a turn has run. */
function say(text: string, chat: Chat = {}): Promise<string> {
  const platform = chat.platform ?? null;
  return runSlash(text, {
    open: async ({ signal, interactive }) => {
      const surface = { kind: 'slash' as const, interactive, agentShell: chat.agentShell ?? false, platform };
      return { ctx: { ...fixture.ctx, surface, signal, actor: 'person@slash' }, close: () => undefined };
    },
    env: {},
    platform,
    inGateway: chat.inGateway ?? platform !== null,
  });
}

const soul = () => readFileSync(fixture.target, 'utf8');
const state = (id: number) => getExperiment(fixture.db, id).state;

describe('reading', () => {
  it('status starts with the profile and names the next command as it is typed in a chat', async () => {
    const id = await judged(fixture);
    const answer = await say('status');
    expect(answer).toMatch(/^Profile dev\n/);
    expect(answer).toContain(`after: ${NEW_SENTENCE}`);
    expect(answer).toContain(`/karpathy approve ${id} --apply`);
    expect(answer).not.toContain('\u001b');
  });

  it('is status when nothing is said', async () => {
    expect(await say('')).toBe(await say('status'));
  });

  it('wraps between words for the terminal of a local chat, and leaves a platform to wrap by itself', async () => {
    await judged(fixture);
    const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
    expect(widest(await say('show'))).toBeLessThanOrEqual(80);
    expect(widest(await say('show', { platform: 'telegram' }))).toBeGreaterThan(80);
  });

  it('show, diff and history speak of the experiment', async () => {
    const id = await judged(fixture);
    expect(await say('show')).toContain('Verdict, in plain words');
    expect(await say(`diff #${id}`)).toContain(`{+${NEW_SENTENCE}+}`);
    expect(await say('history')).toContain(`#${id} · proposed · keep`);
    expect(await say(`history ${id}`)).toContain('person@cli');
  });

  it('help lists every command', async () => {
    const answer = await say('help');
    for (const name of SLASH_NAMES) expect(answer).toContain(`/karpathy ${name}`);
  });

  it('of a profile that is not set up says what to run in a terminal', async () => {
    fixture = testContext({ initialised: false });
    expect(await say('status')).toContain('hermes -p dev karpathy init');
    expect(await say('history')).toContain('init');
  });
});

describe('deciding in a local chat, where a person typed it', () => {
  it('approves and applies, reverts to the exact bytes', async () => {
    const id = await judged(fixture);
    expect(await say(`approve ${id} --apply`, { agentShell: true })).toContain('Applied: SOUL.md is written.');
    expect([state(id), soul()]).toEqual(['live', APPLIED]);
    expect(getExperiment(fixture.db, id).approvedBy).toBe('person@slash');
    expect(await say(`revert ${id} users found it rude`)).toContain('has its prior bytes back');
    expect([state(id), soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });

  it('approves, then applies; phones may write long dashes', async () => {
    const id = await judged(fixture, 'undecided');
    expect(await say(`approve ${id}`)).toContain('undecided');
    const answer = await say(`approve ${id} —override “house style”`);
    expect(answer).toContain('is approved.\nAgreed: it is put back without asking if fresh trials prove harm.');
    expect(getExperiment(fixture.db, id).approvalOverrideReason).toBe('house style');
    await say(`apply ${id}`);
    expect(state(id)).toBe('live');
  });

  it('rejects with the words after the number as the reason', async () => {
    const id = proposed(fixture);
    await say(`reject ${id} it's too stiff`);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'rejected', rejectionReason: "it's too stiff" });
  });

  it('finishes, pauses and resumes', async () => {
    const id = await live(fixture);
    fixture.clock.advance(15 * 86_400_000);
    expect(await say(`finish ${id} --keep 'they like it'`)).toContain('Done');
    expect(state(id)).toBe('verified');
    const paused = () => findProfile(fixture.db, fixture.ctx.profile.rootPath)?.pauseReason ?? null;
    await say('pause release week');
    expect(paused()).toBe('release week');
    await say('resume');
    expect(paused()).toBeNull();
  });

  it("proposes in a person's words, and says what is wrong with them", async () => {
    expect(await say(`propose --rewrite 2 'Answer kindly.' --no-evaluate`)).toContain('Experiment 1 is proposed');
    expect(getExperiment(fixture.db, 1).sentenceAfter).toBe('Answer kindly.');
    await say('reject 1 again');
    expect(await say('propose --rewrite two Answer.')).toContain('must be the number of a sentence');
  });

  it('calibrates in the background once a person has seen what it takes', async () => {
    fixture = proposingContext();
    addScenarios(fixture, { names: ['a', 'b'], split: 'holdout' });
    expect(await say('calibrate --show')).toContain('was never calibrated');
    expect(await say('calibrate')).toMatch(/2 holdout scenarios, 3 pairs each[\s\S]*send: \/karpathy calibrate --yes/);
    expect(listJobs(fixture.db, { profileId: fixture.profileId })).toEqual([]);
    // Its Hermes is a Node, which knows no such command and ends.
    expect(await say('calibrate --yes')).toContain('Job 1 runs in the background.');
    expect(listJobs(fixture.db, { profileId: fixture.profileId })).toMatchObject([{ kind: 'calibrate' }]);
    await work(fixture.ctx);
    expect(await say('calibrate --show')).toContain('Calibration 1');
  });

  it('says what a rule refuses, and changes nothing', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, 'My own words.\n');
    expect(await say(`revert ${id} x`)).toMatch(/^Error: /);
    expect(soul()).toBe('My own words.\n');
  });
});

describe('in a messaging gateway', () => {
  const CHANGES = [
    'approve 1',
    'apply 1',
    'reject 1 x',
    'revert 1 x',
    'finish 1 --again',
    'pause',
    'resume',
    'propose',
    'calibrate --yes',
  ];
  const allowing = (platform: string): WrittenConfig => ({ slash: { allow_changes_from: [platform] } });

  test.each(CHANGES)('%s is refused, whoever wrote it', async (line) => {
    await judged(fixture);
    for (const chat of [{ platform: 'telegram' }, { platform: null, inGateway: true }]) {
      const answer = await say(line, chat);
      expect(answer).toContain('the host does not say who wrote');
      expect(answer).toContain('allow_changes_from');
    }
    expect(state(1)).toBe('proposed');
  });

  it('another platform being allowed does not help, nor an unnamed one', async () => {
    fixture = testContext({ config: allowing('telegram') });
    await judged(fixture);
    expect(await say('approve 1', { platform: 'discord' })).toMatch(/^Error: /);
    expect(await say('approve 1', { platform: null, inGateway: true })).toMatch(/^Error: /);
  });

  it('reading is allowed', async () => {
    await judged(fixture);
    expect(await say('status', { platform: 'telegram' })).toContain('Experiment 1');
  });

  /** The code in `To do it, send: /karpathy approve 1 3FA2C1`. */
  const codeIn = (answer: string) => /To do it, send: \/karpathy (.* [0-9A-F]{6})$/mu.exec(answer)?.[1] ?? '';

  it('an allowed platform gets before, after, effect and a code; the code does it', async () => {
    fixture = testContext({ config: allowing('telegram') });
    const id = await judged(fixture);
    const chat = { platform: 'telegram' };
    const asked = await say(`approve ${id} --apply`, chat);
    expect(asked).toContain('before: (nothing)');
    expect(asked).toContain(`after: ${NEW_SENTENCE}`);
    expect(asked).toMatch(/effect: SOUL.md is written.*put back without asking/);
    expect(state(id)).toBe('proposed');
    await say(codeIn(asked), chat);
    expect([state(id), soul()]).toEqual(['live', APPLIED]);
    const undo = await say(`revert ${id} "too rude"`, chat);
    expect(soul()).toBe(APPLIED);
    await say(codeIn(undo), chat);
    expect([state(id), soul()]).toEqual(['reverted', DEFAULT_SOUL]);
    expect(getExperiment(fixture.db, id).closingReason).toBe('too rude');
  });

  it('a code stands for exactly what was shown: another action, file or verdict makes it void', async () => {
    fixture = testContext({ config: allowing('telegram') });
    const chat = { platform: 'telegram' };
    const id = await approved(fixture);
    const code =
      codeIn(await say(`apply ${id}`, chat))
        .split(' ')
        .at(-1) ?? '';
    expect(await say(`revert ${id} x ${code}`, chat)).toContain('does not fit');
    expect(await say(`apply ${id} 000000`, chat)).toContain('does not fit');
    writeFileSync(fixture.target, `${DEFAULT_SOUL} `);
    expect(await say(`apply ${id} ${code}`, chat)).toContain('does not fit');
    writeFileSync(fixture.target, DEFAULT_SOUL);
    expect(await say(`apply ${id} ${code.toLowerCase()}`, chat)).toContain('Applied');
  });
});

describe('every answer', () => {
  it('is under 3,500 characters, and says where the rest is', async () => {
    const sentence = 'A very long sentence about nothing in particular. '.repeat(400).trim();
    proposed(fixture, appendedLine(fixture, sentence));
    for (const line of ['show', 'diff', 'status']) {
      const answer = await say(line);
      expect(answer.length).toBeLessThan(3_500);
      expect(answer).toContain('in a terminal shows all of it');
    }
  });

  it('is a text, never empty, never an exception, whatever is typed', async () => {
    await judged(fixture);
    const word = fc.oneof(
      fc.constantFrom(...SLASH_NAMES, '--reason', '--apply', '--keep', '7', '1', '#1', '-1', "'", '"', '--', '—'),
      fc.string({ unit: 'grapheme', maxLength: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
        const line = words.join(' ');
        // These start a process or end the experiment that the other lines are about.
        fc.pre(!/propose|apply/i.test(line));
        const answer = await say(line);
        expect(answer.trim().length).toBeGreaterThan(0);
        expect(answer.length).toBeLessThan(3_500);
      }),
      { numRuns: 200 },
    );
  });

  it('is an error text when nothing can be opened', async () => {
    const failing = async (thrown: unknown) =>
      runSlash('status', {
        open: async () => {
          throw thrown;
        },
        env: {},
        platform: null,
        inGateway: false,
      });
    expect(await failing(new Error('disk on fire'))).toBe('Error: Unexpected failure: disk on fire');
    expect(await failing(undefined)).toMatch(/^Error: /);
    expect(isKarpathyError(await failing('text').catch((error: unknown) => error))).toBe(false);
  });

  it('names what it does not know', async () => {
    expect(await say('evaluate 7')).toContain('There is no /karpathy evaluate.');
    expect(await say('show seven')).toContain('"seven" is not the number of an experiment');
    expect(await say('approve')).toContain('Which experiment?');
    expect(await say('approve 1 --nonsense')).toContain('/karpathy help');
  });
});
