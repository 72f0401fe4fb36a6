import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { foldTransitions } from '#src/domain/lifecycle.js';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import { finish } from '#src/services/finish.js';
import { reject } from '#src/services/reject.js';
import { revertExperiment } from '#src/services/revert.js';
import { targetStatus } from '#src/services/targetStatus.js';
import { verifyExperiment } from '#src/services/verify.js';
import { baselinesOf } from '#src/store/baselines.js';
import { findInFlight, getExperiment, history } from '#src/store/experiments.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import {
  approved,
  CONFIRMED,
  judged,
  live,
  liveWithFullWindow,
  NEW_SENTENCE,
  proposed,
} from '../../support/experiments.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;
const DAY = 86_400_000;

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

const soul = () => readFileSync(fixture.target, 'utf8');
const state = (id: number) => getExperiment(fixture.db, id).state;

async function refusal(work: () => Promise<unknown>): Promise<KarpathyError> {
  try {
    await work();
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('was not refused');
}

async function expectRefused(work: () => Promise<unknown>, code: string): Promise<KarpathyError> {
  const before = soul();
  const error = await refusal(work);
  expect(error.code).toBe(code);
  expect(error.exitCode).toBe(3);
  expect(soul()).toBe(before);
  return error;
}

describe('approving', () => {
  it('takes a kept edit, with what the window will be, and does not touch the file', async () => {
    const id = await judged(fixture);
    const row = await approve(fixture.ctx, id, { autoRevert: true });
    expect(row).toMatchObject({
      state: 'approved',
      approvedBy: 'person@cli',
      approvedAt: fixture.clock.now(),
      autoRevertAgreed: true,
      liveSessionsTarget: 10,
      approvalOverrideReason: null,
    });
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('agrees to an automatic revert only when told so', async () => {
    expect((await approve(fixture.ctx, await judged(fixture))).autoRevertAgreed).toBe(false);
  });

  it('is refused without a verdict', async () => {
    const id = proposed(fixture);
    const error = await expectRefused(() => approve(fixture.ctx, id, { override: 'because' }), 'wrong_state');
    expect(error.message).toContain('no verdict yet');
  });

  it('is refused for an undecided edit, unless a person overrides with a reason that stays', async () => {
    const id = await judged(fixture, 'undecided');
    const error = await expectRefused(() => approve(fixture.ctx, id), 'wrong_state');
    expect(error.hint).toContain('--override');
    await expectRefused(() => approve(fixture.ctx, id, { override: '  ' }), 'wrong_state');
    const row = await approve(fixture.ctx, id, { override: 'our house style' });
    expect(row.approvalOverrideReason).toBe('our house style');
    expect(history(fixture.db, id).at(-1)?.reason).toContain('our house style');
  });

  it('is refused for a discarded edit, override or not', async () => {
    const id = await judged(fixture, 'discard');
    await expectRefused(() => approve(fixture.ctx, id, { override: 'I like it' }), 'wrong_state');
  });

  it('is refused when the file changed since the evaluation', async () => {
    const id = await judged(fixture);
    writeFileSync(fixture.target, `${DEFAULT_SOUL}Mine.\n`);
    const error = await expectRefused(() => approve(fixture.ctx, id), 'stale');
    expect(error.hint).toContain(`reject ${id}`);
    expect(state(id)).toBe('proposed');
  });

  it('is refused when the model that the evidence is about is another one now', async () => {
    const id = await judged(fixture);
    writeFileSync(join(fixture.home, 'config.yaml'), 'model: {provider: custom, default: another}\n');
    expect((await expectRefused(() => approve(fixture.ctx, id), 'stale')).message).toContain('expired');
  });

  it('is refused twice, and for what is rejected', async () => {
    const id = await approved(fixture);
    await expectRefused(() => approve(fixture.ctx, id), 'wrong_state');
    await reject(fixture.ctx, id, { reason: 'no' });
    await expectRefused(() => approve(fixture.ctx, id), 'wrong_state');
  });
});

describe('rejecting', () => {
  it('ends a proposed or an approved one with a reason and frees the place', async () => {
    const id = await approved(fixture);
    expect(await reject(fixture.ctx, id, { reason: 'changed my mind' })).toMatchObject({
      state: 'rejected',
      rejectedBy: 'person@cli',
      rejectionReason: 'changed my mind',
    });
    expect(findInFlight(fixture.db, fixture.profileId)).toBeNull();
  });

  it('is what the gate does with a discarded edit', async () => {
    const id = await judged(fixture, 'discard');
    expect(await reject(fixture.ctx, id, { reason: 'harm', actor: 'gate' })).toMatchObject({ rejectedBy: 'gate' });
  });

  it('is refused for a live one', async () => {
    const id = await live(fixture);
    await expectRefused(() => reject(fixture.ctx, id, { reason: 'no' }), 'wrong_state');
  });
});

describe('applying', () => {
  it('writes exactly the candidate bytes and opens the window', async () => {
    const id = await approved(fixture);
    expect(await applyExperiment(fixture.ctx, id)).toMatchObject({
      state: 'live',
      appliedAt: fixture.clock.now(),
      liveSessionsTarget: 10,
      liveSessionsObserved: 0,
      liveDeadlineAt: fixture.clock.now() + 14 * DAY,
      manualConflictDetected: false,
    });
    expect(soul()).toBe(APPLIED);
    expect(targetStatus(fixture.ctx, getExperiment(fixture.db, id))).toBe('as_applied');
  });

  it('is refused before the approval, and a second time', async () => {
    const id = await judged(fixture);
    expect((await expectRefused(() => applyExperiment(fixture.ctx, id), 'wrong_state')).hint).toContain('approve');
    await approve(fixture.ctx, id);
    await applyExperiment(fixture.ctx, id);
    await expectRefused(() => applyExperiment(fixture.ctx, id), 'wrong_state');
  });

  it.each([
    ['one byte more', `${DEFAULT_SOUL} `],
    ['other line ends', DEFAULT_SOUL.replaceAll('\n', '\r\n')],
    ['a BOM', `\uFEFF${DEFAULT_SOUL}`],
  ])('is refused when the file has %s than what was evaluated', async (_, content) => {
    const id = await approved(fixture);
    writeFileSync(fixture.target, content);
    await expectRefused(() => applyExperiment(fixture.ctx, id), 'stale');
    expect(state(id)).toBe('approved');
  });

  it('names a target that is gone', async () => {
    const id = await approved(fixture);
    rmSync(fixture.target);
    expect((await refusal(() => applyExperiment(fixture.ctx, id))).code).toBe('bad_target');
  });
});

describe('reverting', () => {
  it('puts back the exact bytes of a live edit', async () => {
    const odd = Buffer.from('\uFEFFBe kind.\r\nBe brief.');
    writeFileSync(fixture.target, odd);
    const id = await live(fixture);
    expect(readFileSync(fixture.target).equals(odd)).toBe(false);
    const row = await revertExperiment(fixture.ctx, id, { reason: 'too long' });
    expect(row).toMatchObject({ state: 'reverted', closingReason: 'too long', revertedAt: fixture.clock.now() });
    expect(readFileSync(fixture.target).equals(odd)).toBe(true);
  });

  it('puts back the exact bytes of a verified edit', async () => {
    const id = await liveWithFullWindow(fixture);
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    expect((await revertExperiment(fixture.ctx, id, { reason: 'regret' })).state).toBe('reverted');
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('is refused for what was never applied, with the way out', async () => {
    const id = await approved(fixture);
    const error = await expectRefused(() => revertExperiment(fixture.ctx, id, { reason: 'x' }), 'wrong_state');
    expect(error.hint).toContain('reject it instead');
  });

  it("writes nothing over a person's edit; it marks the conflict and keeps the state", async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, `${APPLIED}Mine.\n`);
    const error = await expectRefused(() => revertExperiment(fixture.ctx, id, { reason: 'x' }), 'conflict');
    expect(error.hint).toContain(`resolve ${id} --keep-mine`);
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', manualConflictDetected: true });
  });

  it('does not bring back a file that a person deleted', async () => {
    const id = await live(fixture);
    rmSync(fixture.target);
    expect((await refusal(() => revertExperiment(fixture.ctx, id, { reason: 'x' }))).code).toBe('conflict');
    expect(getExperiment(fixture.db, id)).toMatchObject({ state: 'live', manualConflictDetected: true });
  });

  it('forgets a conflict whose edit the person took back', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, 'Mine.\n');
    await refusal(() => revertExperiment(fixture.ctx, id, { reason: 'x' }));
    writeFileSync(fixture.target, APPLIED);
    expect(await revertExperiment(fixture.ctx, id, { reason: 'x' })).toMatchObject({
      state: 'reverted',
      manualConflictDetected: false,
    });
  });

  it('takes kept edits off from the last one, without calling the later one a conflict', async () => {
    const first = await liveWithFullWindow(fixture);
    await verifyExperiment(fixture.ctx, first, { evidence: CONFIRMED });
    const second = await liveWithFullWindow(fixture);
    const error = await expectRefused(() => revertExperiment(fixture.ctx, first, { reason: 'x' }), 'conflict');
    expect(error.hint).toContain(`revert ${second}`);
    expect(getExperiment(fixture.db, first).manualConflictDetected).toBe(false);
    await revertExperiment(fixture.ctx, second, { reason: 'x' });
    await revertExperiment(fixture.ctx, first, { reason: 'x' });
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('happens without a person only when the approval agreed to it', async () => {
    const inBackground = {
      ...fixture.ctx,
      surface: { ...fixture.ctx.surface, kind: 'tick', interactive: false } as const,
    };
    const id = await live(fixture, { autoRevert: false });
    await expectRefused(() => revertExperiment(inBackground, id, { reason: 'harm', actor: 'ratchet' }), 'needs_person');
    await revertExperiment(fixture.ctx, id, { reason: 'start over' });
    const agreed = await live(fixture, { autoRevert: true });
    const row = await revertExperiment(inBackground, agreed, { reason: 'harm', actor: 'ratchet' });
    expect(row.state).toBe('reverted');
    expect(history(fixture.db, agreed).at(-1)).toMatchObject({ actor: 'ratchet', reason: 'harm' });
  });
});

describe('verifying', () => {
  it('is refused before the window is full', async () => {
    const id = await live(fixture);
    const error = await expectRefused(() => verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED }), 'wrong_state');
    expect(error.message).toContain('0 of 10 sessions');
  });

  it('records the baseline with its evidence', async () => {
    const id = await liveWithFullWindow(fixture);
    const row = await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    expect(row).toMatchObject({ state: 'verified', liveScore: 0.85, verifiedAt: fixture.clock.now() });
    const baselines = baselinesOf(fixture.db, fixture.profileId);
    expect(baselines).toMatchObject([
      {
        id: row.baselineId,
        experimentId: id,
        contentSha256: row.candidateSha256,
        passRate: 0.85,
        effect: 0.2,
        epochs: 2,
      },
    ]);
    expect(soul()).toBe(APPLIED);
  });

  it('is refused when the fresh trials say otherwise', async () => {
    const id = await liveWithFullWindow(fixture);
    const evidence = { ...CONFIRMED, verdict: { ...CONFIRMED.verdict!, verdict: 'undecided' as const } };
    await expectRefused(() => verifyExperiment(fixture.ctx, id, { evidence }), 'wrong_state');
    expect(state(id)).toBe('live');
  });

  it("stops at a person's edit, which is marked", async () => {
    const id = await liveWithFullWindow(fixture);
    writeFileSync(fixture.target, 'Mine.\n');
    await expectRefused(() => verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED }), 'conflict');
    expect(getExperiment(fixture.db, id)).toMatchObject({
      state: 'live',
      manualConflictDetected: true,
      baselineId: null,
    });
    expect(baselinesOf(fixture.db, fixture.profileId)).toEqual([]);
  });
});

describe('a window that ended with too little data', () => {
  async function ended(): Promise<number> {
    const id = await live(fixture);
    fixture.clock.advance(15 * DAY);
    return id;
  }

  it('is left to a person: finishing an open one is refused', async () => {
    const id = await live(fixture);
    await expectRefused(() => finish(fixture.ctx, id, { keep: 'fine' }), 'wrong_state');
  });

  it('--keep REASON verifies it with the reason on record', async () => {
    const id = await ended();
    expect((await finish(fixture.ctx, id, { keep: 'few users, but they like it' })).state).toBe('verified');
    expect(history(fixture.db, id).at(-1)?.reason).toContain('few users, but they like it');
  });

  it('--revert puts the prior bytes back', async () => {
    const id = await ended();
    expect((await finish(fixture.ctx, id, { revert: true })).state).toBe('reverted');
    expect(soul()).toBe(DEFAULT_SOUL);
  });

  it('--again opens it for as long once more', async () => {
    const id = await ended();
    expect(await finish(fixture.ctx, id, { again: true })).toMatchObject({
      state: 'live',
      liveExtensions: 1,
      liveSessionsTarget: 10,
      liveDeadlineAt: fixture.clock.now() + 14 * DAY,
    });
    await expectRefused(() => finish(fixture.ctx, id, { keep: 'x' }), 'wrong_state');
  });

  it('takes exactly one decision', async () => {
    const id = await ended();
    expect((await refusal(() => finish(fixture.ctx, id, {}))).code).toBe('bad_usage');
    expect((await refusal(() => finish(fixture.ctx, id, { revert: true, again: true }))).code).toBe('bad_usage');
    expect((await refusal(() => finish(fixture.ctx, id, { keep: ' ' }))).code).toBe('bad_usage');
  });
});

describe("another profile's experiment", () => {
  it('is not decided from here', async () => {
    const id = await judged(fixture);
    const other = testContext({ root: fixture.root, profile: 'work', soul: 'Be kind.\n' });
    const error = await refusal(() => approve(other.ctx, id));
    expect(error.code).toBe('unknown_experiment');
    expect(error.hint).toContain('-p dev');
    other.close();
  });
});

describe('the audit log', () => {
  it('of a whole life adds up to the stored state', async () => {
    const id = await liveWithFullWindow(fixture);
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    await revertExperiment(fixture.ctx, id, { reason: 'regret' });
    const log = history(fixture.db, id).map((row) => ({ from: row.fromState, to: row.toState }));
    expect(log.map((entry) => entry.to)).toEqual(['proposed', 'approved', 'live', 'verified', 'reverted']);
    expect(foldTransitions(log)).toBe(state(id));
  });
});
