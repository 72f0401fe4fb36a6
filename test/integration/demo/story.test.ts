import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_SEED } from '#demo/options.js';
import { DEFAULT_CONFIG } from '#src/config.js';
import { applyEdit } from '#src/domain/applyEdit.js';
import { splitSentences } from '#src/domain/sentences.js';
import { decide } from '#src/gate/decide.js';
import { consultationAlpha } from '#src/gate/errorBudget.js';
import { decideLiveWindow } from '#src/gate/liveWindow.js';
import { defaultLooks } from '#src/gate/plan.js';
import type { Pair } from '#src/gate/types.js';
import { drawBehaviours } from '#test/support/modelServer/index.js';

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

/** As in a run with one epoch: the share of the error budget that this consultation has. */
function verdict(pairs: Pair[], consultation: number): string | undefined {
  const alpha = consultationAlpha(DEFAULT_CONFIG.gate.alpha, consultation);
  const plan = { alpha, epochs: 1, scenarios: pairs, looks: defaultLooks(1, holdout.length) };
  return decide({ pairs, infra: { incumbent: 0, candidate: 0, started: pairs.length } }, plan, 1)?.verdict;
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

  expect(verdict(compare(base, summary), 1)).toBe('keep');
  const window = decideLiveWindow({
    pairs: compare(base, summary),
    plannedPairs: holdout.length,
    extension: 0,
    above: 0,
  });
  expect(window.verdict).toBe('verified');
  // A keep hands its share on; the discard takes one.
  expect(verdict(compare(summary, paraphrase), 1)).toBe('discard');
  expect(verdict(compare(summary, units), 2)).toBe('keep');
});
