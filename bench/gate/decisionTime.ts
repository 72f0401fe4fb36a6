import { decide } from '#src/gate/decide.js';
import { defaultLooks } from '#src/gate/plan.js';
import { randomFrom } from '#src/gate/random.js';
import type { GatePlan, Pair } from '#src/gate/types.js';

const GROUPS = 200;
const EPOCHS = 20;
const TIMES = 15;

/** How long production takes over the largest suite it is meant for: checks, tally, exact p and interval. In words. */
export function decisionTime(): string {
  const random = randomFrom('decision time');
  const scenarios = Array.from({ length: GROUPS }, (_, scenario) => ({ scenario, group: `g${scenario}` }));
  const plan: GatePlan = { alpha: 0.002, epochs: EPOCHS, scenarios, looks: defaultLooks(EPOCHS, GROUPS) };
  const pairs = scenarios.flatMap(({ scenario, group }) =>
    Array.from({ length: EPOCHS }, (_, epoch): Pair => {
      const bit = (): 0 | 1 => (random() < 0.5 ? 1 : 0);
      return { scenario, group, epoch: epoch + 1, incumbent: bit(), candidate: bit() };
    }),
  );
  const infra = { incumbent: 0, candidate: 0, started: pairs.length };
  const ms = Array.from({ length: TIMES }, () => {
    const began = performance.now();
    decide({ pairs, infra }, plan, plan.looks.length);
    return performance.now() - began;
  }).sort((a, b) => a - b);
  const median = ms[Math.floor(TIMES / 2)] ?? NaN;
  const slowest = ms.at(-1) ?? NaN;
  return `A decision on ${GROUPS} groups × ${EPOCHS} epochs: ${median.toFixed(1)} ms, the slowest of ${TIMES} ${slowest.toFixed(1)} ms`;
}
