import { expect, it } from 'vitest';
import { runFaults, SHARES } from '../../faults/harness.js';

/** Another sample of kills at every run; what fails is printed with its seed. `npm run test:faults` kills 1,200 times. */
const SEED = Math.floor(Date.now() / 1000) % 1_000_000;

it('work that is killed anywhere loses no byte, no event and no state', async () => {
  const report = await runFaults({ kills: 30, seed: SEED, lanes: 1 });
  expect(report.failures, `seed ${SEED}`).toEqual([]);
  expect(Object.keys(report.counts)).toEqual(Object.keys(SHARES));
  expect(report.kills).toBeGreaterThanOrEqual(30);
}, 180_000);
