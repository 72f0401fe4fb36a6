import { expect, it } from 'vitest';
import { runFaults, SHARES } from '../../faults/harness.js';

/** A small sample of what `npm run test:faults` does 1,200 times. */
const SEED = 1;

it('work that is killed anywhere loses no byte, no event and no state', async () => {
  const report = await runFaults({ kills: 15, seed: SEED, lanes: 1 });
  expect(report.failures, `seed ${SEED}`).toEqual([]);
  expect(Object.keys(report.counts)).toEqual(Object.keys(SHARES));
  expect(report.kills).toBeGreaterThanOrEqual(15);
}, 180_000);
