import { expect, it } from 'vitest';
import { runRaces } from '../../races/harness.js';

/** A short form of what `npm run test:races` does for a minute with 100,000 events. */
const SEED = 1;

it('processes that race for the same experiments, files and events lose nothing and do nothing twice', async () => {
  const { failures, counts } = await runRaces({ seconds: 3, processes: 8, seed: SEED, events: 2000 });
  expect(failures, `seed ${SEED}`).toEqual([]);
  expect(counts.events).toBe(2000);
  expect(counts.transitions).toBeGreaterThan(0);
}, 120_000);
