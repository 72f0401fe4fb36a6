import { expect, it } from 'vitest';
import { DEATHS } from '../../model/commands.js';
import { runModel } from '../../model/harness.js';

/** A short form of what `npm run test:model` does with a thousand sequences. */
const SEED = 4;

it('does what a plain model says, whoever edits, whatever git does, and wherever a command dies', async () => {
  const { failure, commands, counts } = await runModel({ runs: 12, seed: SEED, commands: 20 });
  expect(failure).toBeNull();
  expect(commands).toBeGreaterThan(40);
  expect(counts).toMatchObject({ apply: expect.any(Number) as number, [DEATHS]: expect.any(Number) as number });
}, 180_000);
