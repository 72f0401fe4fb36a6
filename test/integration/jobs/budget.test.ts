import { describe, expect, it } from 'vitest';
import { isKarpathyError, KarpathyError } from '#src/errors.js';
import {
  costOf,
  release,
  remaining,
  reservationFor,
  reserve,
  settle,
  spent,
  type SpendingRequest,
} from '#src/services/budget.js';
import { chargedCall } from '#src/services/chargedCall.js';
import { createExperiment, getExperiment } from '#src/store/experiments.js';
import { takeBackExpired } from '#src/services/jobLease.js';
import { findJob, insertJob, takeLease } from '#src/store/jobs.js';
import { listLedger } from '#src/store/costLedger.js';
import { testContext, type TestContext, type TestContextOptions } from '../../support/context.js';

function withExperiment(options: TestContextOptions = {}): TestContext & { experimentId: number } {
  const fixture = testContext(options);
  const experimentId = createExperiment(fixture.db, {
    profileId: fixture.profileId,
    profile: 'dev',
    targetProfileRoot: fixture.home,
    targetRelpath: 'SOUL.md',
    actor: 'person@cli',
    reason: 'test',
    at: fixture.clock.now(),
  });
  return { ...fixture, experimentId };
}

const request = (experimentId: number, extra: Partial<SpendingRequest> = {}): SpendingRequest => ({
  experimentId,
  purpose: 'trial',
  model: 'm',
  tokens: 400,
  usd: null,
  ...extra,
});

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isKarpathyError(error)) return error.code;
    throw error;
  }
  return 'allowed';
}

describe('the budget of an edit', () => {
  it('counts what is reserved by others as spent, and gives back what was not used', () => {
    const { ctx, experimentId: id } = withExperiment({ config: { budget: { tokens: 1000 } } });
    const first = reserve(ctx, request(id));
    const second = reserve(ctx, request(id, { purpose: 'judge' }));
    expect(remaining(ctx, id)).toEqual({ usd: null, tokens: 200 });
    expect(code(() => reserve(ctx, request(id, { purpose: 'proposer' })))).toBe('budget');
    settle(ctx, first, { tokens: 100, usd: null });
    release(ctx, second);
    expect(remaining(ctx, id)).toEqual({ usd: null, tokens: 900 });
    expect(spent(ctx, id)).toEqual({ usd: null, tokens: 100, unknownPrice: true });
  });

  it('refuses the next call once one took more than it had reserved', () => {
    const { ctx, experimentId: id, db } = withExperiment({ config: { budget: { tokens: 1000 } } });
    settle(ctx, reserve(ctx, request(id)), { tokens: 1300, usd: null });
    expect(code(() => reserve(ctx, request(id, { tokens: 1 })))).toBe('budget');
    expect(remaining(ctx, id).tokens).toBe(0);
    expect(getExperiment(db, id).tokens).toBe(1300);
  });

  it('books unknown tokens as reserved', () => {
    const { ctx, experimentId: id } = withExperiment();
    settle(ctx, reserve(ctx, request(id)), { tokens: null, usd: null });
    expect(spent(ctx, id).tokens).toBe(400);
  });

  it('holds a USD limit over all purposes', () => {
    const { ctx, experimentId: id, db } = withExperiment({ config: { budget: { usd: 1 } } });
    settle(ctx, reserve(ctx, request(id, { usd: 0.6 })), { tokens: 400, usd: 0.7 });
    expect(code(() => reserve(ctx, request(id, { purpose: 'judge', usd: 0.4 })))).toBe('budget');
    expect(code(() => reserve(ctx, request(id, { purpose: 'judge', usd: 0.3 })))).toBe('allowed');
    expect(spent(ctx, id)).toEqual({ usd: 0.7, tokens: 400, unknownPrice: false });
    expect(getExperiment(db, id).costUsd).toBe(0.7);
  });

  it('counts a call whose cost nobody stated as what it had reserved', () => {
    const { ctx, experimentId: id } = withExperiment({ config: { budget: { usd: 1 } } });
    settle(ctx, reserve(ctx, request(id, { usd: 0.8 })), { tokens: 400, usd: null });
    expect(remaining(ctx, id).usd).toBeCloseTo(0.2);
    expect(code(() => reserve(ctx, request(id, { usd: 0.3 })))).toBe('budget');
    expect(spent(ctx, id)).toEqual({ usd: null, tokens: 400, unknownPrice: true });
  });

  it.each([
    [{ usd: 1, tokens: 1000 }, 'price_unknown'],
    [{ usd: 1, tokens: null }, 'price_unknown'],
    [{ usd: null, tokens: null }, 'price_unknown'],
    [{ usd: null, tokens: 1000 }, 'allowed'],
  ])('with an unknown price and the limits %j: %s', (budget, expected) => {
    const { ctx, experimentId: id } = withExperiment({ config: { budget } });
    expect(code(() => reserve(ctx, request(id)))).toBe(expected);
  });

  it('takes what init asked for when config.yaml sets nothing', () => {
    const { ctx, experimentId: id, db } = withExperiment();
    db.prepare('UPDATE profiles SET budget_tokens = 500').run();
    expect(remaining(ctx, id).tokens).toBe(500);
  });
});

describe('a call that fails', () => {
  const call = { purpose: 'judge', model: 'm', bound: { inputTokens: 300, outputTokens: 100 } } as const;
  const failed = (details: { charged?: boolean } = {}) => new KarpathyError('model_failed', 'no use', details);

  it.each([
    ['was refused', failed(), 0],
    ['may have been charged', failed({ charged: true }), 400],
    ['was interrupted', new KarpathyError('interrupted', 'Interrupted.'), 400],
    ['was aborted', new DOMException('Aborted', 'AbortError'), 400],
  ])('and %s is booked as such', async (_, error, tokens) => {
    const { ctx, experimentId } = withExperiment({ config: { budget: { tokens: 1000 } } });
    await expect(chargedCall(ctx, { ...call, experimentId }, () => Promise.reject(error))).rejects.toBe(error);
    expect(spent(ctx, experimentId).tokens).toBe(tokens);
    expect(remaining(ctx, experimentId).tokens).toBe(1000 - tokens);
  });
});

describe('reservations of the dead', () => {
  it('are booked as reserved when their job is taken over: dying again and again passes no limit', () => {
    const fixture = withExperiment({ config: { budget: { tokens: 1000 } } });
    const { ctx, experimentId: id, db, clock, profileId } = fixture;
    const job = { profileId, experimentId: id, kind: 'evaluate', payload: {}, requestedBy: 'x' } as const;
    const jobId = insertJob(db, { ...job, at: clock.now() });
    takeLease(db, { id: jobId, owner: 'dead', now: clock.now(), expiresAt: clock.now() + 60_000 });
    reserve(ctx, request(id, { tokens: 900, owner: 'dead' }));
    clock.advance(60_001);
    takeBackExpired(ctx, { profileId, owner: 'alive' });
    expect(findJob(db, jobId)?.state).toBe('queued');
    expect(listLedger(db, { profileId, experimentId: id })).toMatchObject([{ state: 'settled', settledTokens: 900 }]);
    expect(getExperiment(db, id).tokens).toBe(900);
    expect(code(() => reserve(ctx, request(id)))).toBe('budget');
  });

  it('count against the limit until then', () => {
    const { ctx, experimentId: id } = withExperiment({ config: { budget: { tokens: 1000 } } });
    reserve(ctx, request(id, { tokens: 900, owner: 'other process' }));
    expect(code(() => reserve(ctx, request(id)))).toBe('budget');
  });
});

describe('prices and estimates', () => {
  const prices = { m: { input: 2, output: 10 } };

  it("prefer the provider's figure, then the configured price, and stay unknown otherwise", () => {
    const { ctx } = testContext({ config: { prices } });
    const usage = { inputTokens: 1_000_000, outputTokens: 100_000, totalTokens: 1_100_000 };
    expect(costOf(ctx, { model: 'm', usage, costUsd: 0.5 })).toBe(0.5);
    expect(costOf(ctx, { model: 'm', usage, costUsd: null })).toBeCloseTo(3);
    expect(costOf(ctx, { model: 'other', usage, costUsd: null })).toBeNull();
    const total = { inputTokens: null, outputTokens: null, totalTokens: 1_000_000 };
    expect(costOf(ctx, { model: 'm', usage: total, costUsd: null })).toBeCloseTo(10);
  });

  it('come from the bound until there are ten calls, then from their 95th percentile', () => {
    const { ctx, experimentId: id } = withExperiment({ config: { budget: { tokens: 1_000_000 }, prices } });
    const call = { purpose: 'trial', model: 'm', bound: { inputTokens: 1000, outputTokens: 500 } } as const;
    expect(reservationFor(ctx, call)).toEqual({ tokens: 1500, usd: 0.007, basis: 'bound' });
    for (let i = 1; i <= 20; i += 1) settle(ctx, reserve(ctx, request(id)), { tokens: i * 10, usd: i / 100 });
    expect(reservationFor(ctx, call)).toEqual({ tokens: 190, usd: 0.19, basis: 'history' });
    expect(reservationFor(ctx, { ...call, purpose: 'judge' }).basis).toBe('bound');
  });
});
