import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { yieldToTurns } from '#src/services/yieldToTurns.js';
import { testContext, type TestContext } from '../../support/context.js';

let events = 0;

function append({ ctx, clock }: TestContext, hook: string, part: Record<string, unknown> = {}): void {
  const event = {
    ...{ v: 1, id: String(++events).padStart(32, '0'), hook, session_id: 's1', turn_id: null, home: ctx.profile.home },
    ...{ is_first_turn: true, model: null, platform: 'cli', write_origin: null, trial: false, at: clock.now() },
    ...part,
  };
  mkdirSync(ctx.paths.spoolDir, { recursive: true });
  appendFileSync(join(ctx.paths.spoolDir, '2026010100-0000000000000000.ndjson'), `${JSON.stringify(event)}\n`);
}

/** Whether a trial would wait now; stopped at once when it does. */
async function waits({ ctx }: TestContext): Promise<boolean> {
  return yieldToTurns(ctx, AbortSignal.timeout(50)).then(
    () => false,
    () => true,
  );
}

it('waits for a turn of the person’s, and for nothing else', async () => {
  const fixture = testContext({ config: { runner: { yield_to_turns: true } } });
  expect(await waits(fixture)).toBe(false);
  append(fixture, 'pre_llm_call', { trial: true, session_id: 'trial' });
  append(fixture, 'pre_llm_call', { write_origin: 'background_review', session_id: 'review' });
  expect(await waits(fixture)).toBe(false);
  append(fixture, 'pre_llm_call');
  fixture.clock.advance(30_000);
  append(fixture, 'post_llm_call', { session_id: 's2' });
  expect(await waits(fixture)).toBe(true);
  append(fixture, 'post_llm_call');
  expect(await waits(fixture)).toBe(false);
  fixture.clock.advance(1000);
  append(fixture, 'pre_llm_call');
  expect(await waits(fixture)).toBe(true);
  // It failed, so its end is never told.
  fixture.clock.advance(10 * 60_000 + 1);
  expect(await waits(fixture)).toBe(false);
});

it('goes on as soon as the turn has ended', async () => {
  const fixture = testContext({ config: { runner: { yield_to_turns: true } } });
  append(fixture, 'pre_llm_call');
  const waiting = yieldToTurns(fixture.ctx, AbortSignal.timeout(20_000));
  append(fixture, 'post_llm_call');
  await waiting;
});

it('is off unless it is asked for', async () => {
  const fixture = testContext();
  append(fixture, 'pre_llm_call');
  expect(await waits(fixture)).toBe(false);
});
