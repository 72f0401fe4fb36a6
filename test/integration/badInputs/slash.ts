import { expect } from 'vitest';
import { runSlash } from '#src/slash/run.js';
import type { Kind } from './badInput.js';
import { differences, treeOf } from './tree.js';
import { lay, openWorld, OURS, SECRETS, THEIRS, type WorldName } from './world.js';

/** A text after `/karpathy` in a chat. */
export interface BadText {
  readonly name: string;
  readonly text: string;
  readonly names: readonly (string | RegExp)[];
  readonly world?: WorldName;
  /** The messaging platform, when the chat is on one. */
  readonly platform?: string;
}

const texts: BadText[] = [
  { name: 'a command that does not exist', text: 'frobnicate', names: ['/karpathy frobnicate', 'status'] },
  { name: 'a sentence', text: 'please make it better', names: ['/karpathy please'] },
  { name: 'a command of the terminal', text: 'scenario list', names: ['/karpathy scenario', 'terminal'] },
  { name: 'an option that does not exist', text: `approve ${OURS} --force`, names: ['--force'] },
  { name: 'an option without its value', text: `reject ${OURS} --reason`, names: ['--reason'] },
  { name: 'a decision about nothing', text: 'approve', names: ['Which experiment'] },
  { name: 'a decision about a word', text: 'approve it', names: ['"it"', 'number of an experiment'] },
  { name: 'an experiment that does not exist', text: 'show 999', names: ['999'] },
  { name: "another profile's experiment", text: `diff ${THEIRS}`, names: ['belongs to the profile other'] },
  { name: 'an experiment with a number below zero', text: 'diff -7', names: ['-7'] },
  { name: 'no experiment in flight', text: 'diff', names: ['no experiment in flight'] },
  { name: 'a rejection without a reason', text: `reject ${OURS}`, world: 'proposed', names: ['reason'] },
  { name: 'a revert without a reason', text: `revert ${OURS}`, world: 'live', names: ['reason', `revert ${OURS}`] },
  { name: 'two ends of a window', text: `finish ${OURS} --revert --again`, world: 'live', names: ['exactly one'] },
  { name: 'the wrong state', text: `apply ${OURS}`, world: 'live', names: ['is live'] },
  { name: 'two edits at once', text: "propose --rewrite 1 --delete 2 'x'", names: ['one edit'] },
  {
    name: 'a sentence that is not there',
    text: 'propose --delete 9 --no-evaluate',
    names: ['no sentence 9', '1 to 3'],
  },
  {
    name: 'curly quotes around two sentences',
    text: 'propose --no-evaluate --rewrite 2 “Be kind. Be brief.”',
    names: ['2 sentences'],
  },
  {
    name: 'a decision from a platform',
    text: `approve ${OURS}`,
    world: 'keep',
    platform: 'telegram',
    names: ['telegram', 'who wrote'],
  },
  { name: 'a text of ten thousand letters', text: `x${'y'.repeat(10_000)}`, names: ['There is no /karpathy xy', '…'] },
  { name: 'control characters', text: 'show \u001b[2J', names: ['is not the number'] },
];

/** The answer of a chat is a text: it says what is wrong and the way out, and nothing is changed. */
async function checkText({ text, names, world: name = 'ready', ...chat }: BadText): Promise<void> {
  const platform = chat.platform ?? null;
  const world = await lay(name);
  const before = treeOf(world.place);
  const answer = await runSlash(text, {
    open: async ({ signal, interactive }) =>
      openWorld(world, { signal, surface: { kind: 'slash', interactive, platform } }),
    env: world.env,
    platform,
    inGateway: platform !== null,
  });
  expect(answer).toMatch(/^Error: /);
  expect(answer).toContain('→ ');
  expect(answer.length).toBeLessThan(3_500);
  for (const wanted of names) {
    if (typeof wanted === 'string') expect(answer.replaceAll(/\s+/g, ' ')).toContain(wanted);
    else expect(answer).toMatch(wanted);
  }
  expect(answer).not.toMatch(/^\s+at |TypeError|SyntaxError|\bundefined\b|Unexpected failure/m);
  // eslint-disable-next-line no-control-regex -- what a terminal would obey
  expect(answer).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  for (const secret of SECRETS) expect(answer).not.toContain(secret);
  expect(differences(before, treeOf(world.place))).toEqual([]);
}

export const CHAT: Kind<BadText> = { kind: 'commands in a chat', cases: texts, errors: ['a text'], check: checkText };
