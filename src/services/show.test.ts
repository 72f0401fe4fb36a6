import { expect, it } from 'vitest';
import type { ScenarioResultRow } from '../store/scenarioResults.js';
import { makeLook } from '../text/look.js';
import { resultsText } from '../text/show.js';
import { difference, resultViews } from './show.js';

let nextId = 0;
function rows(name: string, split: 'train' | 'holdout', passes: [number, number], infra = 0): ScenarioResultRow[] {
  nextId += 1;
  const scenarioId = nextId;
  return (['incumbent', 'candidate'] as const).map((arm, index) => ({
    id: scenarioId * 10 + index,
    experimentId: 1,
    evalRunId: 1,
    scenarioId,
    arm,
    split,
    groupName: name,
    proposerModel: null,
    judgeModel: null,
    judgeRunId: null,
    passFail: null,
    passes: passes[index] ?? 0,
    epochs: 3,
    infra,
    judgeRationale: null,
    scenarioSnapshot: {
      id: scenarioId,
      name,
      split,
      group: name,
      spec: { input: 'x', checks: [{ must_contain: 'x' }] },
    },
    createdAt: 0,
  }));
}

const suite = [
  ...rows('secret-a', 'holdout', [0, 1]),
  ...rows('secret-b', 'holdout', [3, 0]),
  ...rows('secret-c', 'holdout', [0, 3], 1),
  ...rows('known', 'train', [1, 1]),
];

it('names train scenarios, and holdout ones only for who may see them', () => {
  expect(resultViews(suite, false).map((view) => view.name)).toEqual(['known', null, null, null]);
  expect(resultViews(suite, true).map((view) => view.name)).toEqual(['known', 'secret-c', 'secret-a', 'secret-b']);
  expect(JSON.stringify(resultViews(suite, false))).not.toContain('secret');
});

it('sorts by the difference, whatever the order of the rows', () => {
  const sorted = resultViews(suite, false).map(difference);
  expect(resultViews([...suite].reverse(), false).map(difference)).toEqual(sorted);
  expect(sorted.slice(1)).toEqual([1, 1 / 3, -1]);
});

it('reads as both arms per scenario in a terminal, and as a summary in a chat', () => {
  const views = resultViews(suite, false);
  const terminal = resultsText(makeLook({ width: 100, color: false, form: 'terminal', command: 'k' }), views);
  expect(terminal).toMatch(/holdout +0\/3 \(1 lost\) +3\/3 \(1 lost\) +\+100 points +\(hidden\)/);
  const chat = resultsText(makeLook({ width: 80, color: false, form: 'plain', command: 'k' }), views);
  expect(chat).toBe('train: 1 scenario, 0 better, 0 worse, 1 same\nholdout: 3 scenarios, 2 better, 1 worse, 0 same');
});
