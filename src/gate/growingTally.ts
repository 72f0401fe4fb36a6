import type { Random } from './random.js';
import { groupOf, type Suite } from './simulatedSuite.js';
import type { Tally } from './types.js';

interface Counts {
  scenario: number;
  group: number;
  pairs: number;
  incumbent: number;
  candidate: number;
}

/** A tally that grows epoch by epoch: the fast path into the production decisions, without a pair object per trial. */
export class GrowingTally implements Tally {
  groups = 0;
  readonly scenarios: Counts[] = [];
  /** Trials of both arms so far. */
  trials = 0;

  constructor(
    private readonly suite: Suite,
    private readonly random: Random,
  ) {}

  /**
   * Runs further epochs of scenarios `from` up to `to`, the whole suite by default. Epoch by epoch, so that the same
   * generator gives the same trials whether they are asked for at once or look by look.
   */
  runEpochs(epochs: number, { from = 0, to = this.suite.incumbent.length } = {}): this {
    const { incumbent, candidate } = this.suite;
    for (let epoch = 0; epoch < epochs; epoch += 1) {
      for (let s = from; s < to; s += 1) {
        const counts = (this.scenarios[s] ??= {
          scenario: s,
          group: groupOf(this.suite, s),
          pairs: 0,
          incumbent: 0,
          candidate: 0,
        });
        if (this.random() < (incumbent[s] as number)) counts.incumbent += 1;
        if (this.random() < (candidate[s] as number)) counts.candidate += 1;
        counts.pairs += 1;
      }
    }
    if (to > 0) this.groups = Math.max(this.groups, groupOf(this.suite, to - 1) + 1);
    this.trials += 2 * epochs * (to - from);
    return this;
  }
}

/** The suite with only these scenarios, each its own group. */
export function subset(suite: Suite, scenarios: readonly number[]): Suite {
  return {
    incumbent: scenarios.map((s) => suite.incumbent[s] as number),
    candidate: scenarios.map((s) => suite.candidate[s] as number),
  };
}
