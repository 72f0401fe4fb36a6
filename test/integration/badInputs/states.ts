import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '#src/errors.js';
import type { BadInput } from './badInput.js';
import { append, OURS, type WorldName } from './world.js';

const id = String(OURS);

/** Each command in the states that are not for it; what the answer has to name besides the experiment. */
const MATRIX: readonly {
  readonly run: readonly string[];
  readonly wrong: Partial<Record<WorldName, string | RegExp>>;
}[] = [
  {
    run: ['approve', id, '--yes'],
    wrong: {
      proposed: 'no verdict yet',
      discard: 'speaks against',
      undecided: 'undecided',
      ...{ approved: 'is approved', live: 'is live', verified: 'is verified' },
      ...{ reverted: 'is reverted', rejected: 'is rejected' },
    },
  },
  {
    run: ['apply', id, '--yes'],
    wrong: {
      ...{ proposed: 'is proposed', keep: 'is proposed', live: 'is live', verified: 'is verified' },
      ...{ reverted: 'is reverted', rejected: 'is rejected' },
    },
  },
  {
    run: ['reject', id, '--reason', 'x'],
    wrong: { live: /\blive\b/, verified: /\bverified\b/, reverted: /\breverted\b/, rejected: /\brejected\b/ },
  },
  {
    run: ['revert', id, '--reason', 'x', '--yes'],
    wrong: {
      ...{ proposed: 'is proposed', keep: 'is proposed', approved: 'is approved' },
      ...{ reverted: 'is reverted', rejected: 'is rejected' },
    },
  },
  {
    run: ['finish', id, '--keep', 'x', '--yes'],
    wrong: {
      ...{ proposed: 'proposed', approved: 'approved', live: 'not full', verified: 'verified' },
      ...{ reverted: 'reverted', rejected: 'rejected' },
    },
  },
  {
    run: ['resolve', id, '--keep-mine', '--yes'],
    wrong: {
      ...{ proposed: 'is proposed', approved: 'is approved', live: 'exactly what was applied' },
      ...{ verified: 'exactly what was applied', reverted: 'is reverted', rejected: 'is rejected' },
    },
  },
  {
    run: ['verify', id],
    wrong: {
      ...{ proposed: 'proposed', approved: 'approved', live: 'not full' },
      ...{ reverted: 'reverted', rejected: 'rejected' },
    },
  },
  {
    run: ['evaluate', id],
    wrong: {
      ...{ keep: 'already', approved: 'is approved', live: 'is live', verified: 'is verified' },
      ...{ reverted: 'is reverted', rejected: 'is rejected' },
    },
  },
  {
    run: ['snapshot', id],
    wrong: { proposed: 'no snapshot "prior"', approved: 'no snapshot "prior"', rejected: 'no snapshot "prior"' },
  },
];

const matrix: BadInput[] = MATRIX.flatMap(({ run, wrong }) =>
  Object.entries(wrong).map(([world, names]) => ({
    name: `${run[0] ?? ''} in the state ${world}`,
    world: world as WorldName,
    run,
    trials: true,
    code: 'wrong_state' as const,
    names: [new RegExp(`xperiment ${id}\\b`), names],
  })),
);

const inFlight: BadInput[] = (['proposed', 'approved', 'live'] as const).map((world) => ({
  name: `a second proposal beside one that is ${world}`,
  world,
  run: ['propose', '--delete', '1', '--no-evaluate'],
  code: 'in_flight',
  names: ['dev', `experiment ${id}`, world],
}));

const edited = (text: string) => (world: { target: string }) => append(world.target, text);

const meanwhile: BadInput[] = [
  {
    name: 'another target while a change is live',
    world: 'live',
    put: ({ home }) => writeFileSync(join(home, 'NOTES.md'), 'Be kind.\n'),
    run: ['init', '--target', 'NOTES.md', '--yes'],
    code: 'in_flight',
    names: [`Experiment ${id}`, 'SOUL.md'],
  },
  ...(['approve', 'apply'] as const).map((command): BadInput => ({
    name: `the file was edited before it: ${command}`,
    world: command === 'approve' ? 'keep' : 'approved',
    put: edited('A line of mine.\n'),
    run: [command, id, '--yes'],
    code: 'stale',
    names: ['SOUL.md'],
  })),
  {
    name: 'the file was edited before a revert',
    world: 'live',
    put: edited('A line of mine.\n'),
    run: ['revert', id, '--reason', 'x', '--yes'],
    code: 'conflict',
    names: ['SOUL.md', 'was edited', 'nothing was written'],
    records: ['experiments'],
  },
  {
    name: 'the file is gone before a revert',
    world: 'live',
    put: ({ target }) => rmSync(target),
    run: ['revert', id, '--reason', 'x', '--yes'],
    code: 'conflict',
    names: ['SOUL.md', 'is gone'],
    records: ['experiments'],
  },
  {
    name: 'the model of the agent is another since the verdict',
    world: 'keep',
    put: ({ home }) => writeFileSync(join(home, 'config.yaml'), 'model: another\n', { mode: 0o600 }),
    run: ['approve', id, '--yes'],
    code: 'stale',
    names: ['evidence', 'has expired'],
    records: ['experiments'],
  },
  {
    name: 'a holdout scenario is gone since the verdict',
    world: 'approved',
    put: ({ home }) => writeFileSync(join(home, 'config.yaml'), '', { mode: 0o600 }),
    run: ['apply', id, '--yes'],
    code: 'stale',
    names: [/model|evidence/],
    records: ['experiments'],
  },
  ...(
    [
      ['discard', 'speaks against'],
      ['proposed', 'no verdict'],
    ] as const
  ).map(([world, names]): BadInput => ({
    name: `a reason does not help with the verdict ${world}`,
    world,
    run: ['approve', id, '--override', 'I like it', '--yes'],
    code: 'wrong_state',
    names: [names],
  })),
  { name: 'no calibration to show', run: ['calibrate', '--show'], code: 'wrong_state', names: ['never calibrated'] },
];

/** Only what a person may decide counts as one; the rest of the corpus is about input. */
export const STATE_CODES: readonly ErrorCode[] = ['wrong_state', 'in_flight', 'stale', 'conflict'];
export const STATES: readonly BadInput[] = [...matrix, ...inFlight, ...meanwhile];
