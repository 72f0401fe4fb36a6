import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_SEED } from '../../../demo/options.js';
import { applyEdit } from '../../../src/domain/applyEdit.js';
import { splitSentences } from '../../../src/domain/sentences.js';
import { decide } from '../../../src/gate/decide.js';
import { decideLiveWindow } from '../../../src/gate/liveWindow.js';
import { defaultLooks } from '../../../src/gate/plan.js';
import type { Pair } from '../../../src/gate/types.js';
import { drawBehaviours } from '../../support/modelServer/index.js';

const demo = join(import.meta.dirname, '..', '..', '..', 'demo');
const { scenarios } = parse(readFileSync(join(demo, 'scenarios.yaml'), 'utf8')) as {
  scenarios: { name: string; split: string; group: string; input: string }[];
};
const holdout = scenarios.filter((scenario) => scenario.split === 'holdout');

/** Runs both texts on the holdout as the simulated model would, one epoch, repetitions counted as it counts them. */
function comparisons(seed: string) {
  const repetitions = new Map<string, number>();
  const passes = (text: string, scenario: (typeof holdout)[number]): 0 | 1 => {
    const identity = text.trim();
    const key = `${identity}\u0000${scenario.input}`;
    const repetition = repetitions.get(key) ?? 0;
    repetitions.set(key, repetition + 1);
    const shown = drawBehaviours({ seed, identity, user: scenario.input, repetition });
    return shown.has(scenario.name.startsWith('summary') ? 'summary' : 'units') ? 1 : 0;
  };
  return (incumbent: string, candidate: string): Pair[] =>
    holdout.map((scenario, index) => ({
      scenario: index,
      group: scenario.group,
      epoch: 1,
      incumbent: passes(incumbent, scenario),
      candidate: passes(candidate, scenario),
    }));
}

function verdict(pairs: Pair[]): string | undefined {
  const plan = { alpha: 0.05, epochs: 1, scenarios: pairs, looks: defaultLooks(1, holdout.length) };
  return decide({ pairs, infra: { incumbent: 0, candidate: 0, started: 24 } }, plan, 1)?.verdict;
}

it("the demo's seed tells its story: kept and verified, discarded, kept", () => {
  const base = readFileSync(join(demo, 'SOUL.md'), 'utf8');
  const append = (text: string, sentence: string) =>
    applyEdit(text, { operation: 'insert', sentence: splitSentences(text).length, text: sentence, rationale: '' })
      .candidate;
  const summary = append(base, 'End every answer with a one-line summary.');
  const paraphrase = summary.replace(
    'You answer customers in a friendly way.',
    'You reply to customers in a kind way.',
  );
  const units = append(summary, 'Write the unit after every number.');
  const compare = comparisons(DEFAULT_SEED);

  expect(verdict(compare(base, summary))).toBe('keep');
  const window = decideLiveWindow({
    pairs: compare(base, summary),
    plannedPairs: holdout.length,
    extension: 0,
    above: 0,
  });
  expect(window.verdict).toBe('verified');
  expect(verdict(compare(summary, paraphrase))).toBe('discard');
  expect(verdict(compare(summary, units))).toBe('keep');
});
