// `npm run safeguards`: takes each safeguard of gate and ratchet out of a copy of the sources and runs the test that
// guards it. A test that still passes guards nothing; then this ends with 1. `--only NAME[,NAME]` runs some of them, by
// their names or by section: gate, ratchet.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GATE } from './safeguards/gate.mjs';
import { RATCHET } from './safeguards/ratchet.mjs';

/**
 * @typedef {object} Safeguard
 * @property {string} name
 * @property {string} removed what is true without it
 * @property {string} file
 * @property {string} [from] with `to`: the text that is replaced
 * @property {string} [to]
 * @property {[string, string][]} [edits] instead of `from` and `to`: several of them
 * @property {string} [test] a test file, with `title`: the tests in it, as a pattern
 * @property {string} [title]
 * @property {string} [kills] instead of `test`: arguments for `npm run test:faults`
 */

const root = fileURLToPath(new URL('..', import.meta.url));
const sections = { gate: GATE, ratchet: RATCHET };
const at = process.argv.indexOf('--only');
const wanted = at === -1 ? null : (process.argv[at + 1] ?? '').split(',');
const chosen = Object.entries(sections).flatMap(([section, safeguards]) =>
  safeguards.filter(({ name }) => wanted === null || wanted.includes(section) || wanted.includes(name)),
);
const copy = mkdtempSync(join(tmpdir(), 'karpathy-safeguards-'));
/** Whether the guards pass with everything in place, by guard: several safeguards may have the same. */
const sound = new Map();
let blind = chosen.length === 0 ? 1 : 0;
try {
  // What git knows, as it stands in the working tree.
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  for (const file of files.split('\n').filter((name) => name !== '')) cpSync(join(root, file), join(copy, file));
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const safeguard of chosen) blind += seen(safeguard) ? 0 : 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${chosen.length - blind} of ${chosen.length} seen`);
process.exitCode = blind === 0 ? 0 : 1;

/**
 * Whether the guard passes with the safeguard and fails without it.
 * @param {Safeguard} safeguard
 */
function seen(safeguard) {
  const { name, removed, file, from = '', to = '', edits = [[from, to]] } = safeguard;
  const path = join(copy, file);
  const whole = readFileSync(path, 'utf8');
  const gone = edits.find(([text]) => !whole.includes(text));
  if (gone !== undefined) {
    console.log(`${name}: ${file} no longer has ${JSON.stringify(gone[0])}`);
    return false;
  }
  const { guard, passes } = guardOf(safeguard);
  if (!sound.has(guard)) sound.set(guard, passes());
  writeFileSync(
    path,
    edits.reduce((text, [before, after]) => text.replace(before, () => after), whole),
  );
  const without = passes();
  writeFileSync(path, whole);
  const kept = sound.get(guard);
  const verdict = kept && !without ? 'seen' : kept ? 'NOT SEEN' : 'fails even with it';
  console.log(`${name}: ${removed} → ${verdict} (${guard})`);
  return kept && !without;
}

/** @param {Safeguard} safeguard */
function guardOf({ test = '', title = '', kills }) {
  const tool = (...path) => join(copy, 'node_modules', ...path);
  const run = (args) => spawnSync(process.execPath, args, { cwd: copy, stdio: 'ignore' }).status === 0;
  if (kills !== undefined) {
    const args = [tool('tsx', 'dist', 'cli.mjs'), 'test/faults/main.ts', ...kills.split(' ')];
    return { guard: `npm run test:faults -- ${kills}`, passes: () => run(args) };
  }
  const args = [tool('vitest', 'vitest.mjs'), 'run', test, ...(title === '' ? [] : ['-t', title])];
  return { guard: `${test}${title === '' ? '' : `, "${title}"`}`, passes: () => run(args) };
}
