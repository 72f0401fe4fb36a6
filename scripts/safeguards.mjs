// `npm run safeguards`: takes each safeguard of the gate out of a copy of the sources and runs the test that guards it.
// A test that still passes guards nothing; then this ends with 1. `--only NAME` runs one of them.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const ADVERSARIAL = 'bench/gate/adversarial.test.ts';

const SAFEGUARDS = [
  {
    name: 'order',
    removed: 'the incumbent always runs first',
    file: 'src/gate/plan.ts',
    from: "& 1) === 0 ? 'incumbent' : 'candidate'",
    to: "& 1) === 2 ? 'candidate' : 'incumbent'",
    test: ADVERSARIAL,
    title: 'order drift',
  },
  {
    name: 'groups',
    removed: 'every scenario counts by itself',
    file: 'src/gate/tally.ts',
    from: 'groups.get(pair.group) ?? groups.size;\n    groups.set(pair.group, group);',
    to: 'groups.get(String(pair.scenario)) ?? groups.size;\n    groups.set(String(pair.scenario), group);',
    test: ADVERSARIAL,
    title: 'groups of three near-copies',
  },
  {
    name: 'infra',
    removed: 'a lopsided loss of trials is not noticed',
    file: 'src/gate/soundness.ts',
    from: 'excess > MAX_INFRA_EXCESS',
    to: 'excess > 1',
    test: ADVERSARIAL,
    title: 'failures into time-outs',
  },
  {
    name: 'timeouts',
    removed: 'a deadline reached while the agent worked is a fault, and run again',
    file: 'src/evaluation/trialOutcome.ts',
    from: "return { kind: 'completed', limitReached: 'time' };",
    to: "return infra('time');",
    test: 'src/evaluation/trialOutcome.test.ts',
    title: '',
  },
  {
    name: 'allocation',
    removed: 'some scenarios get more epochs than others',
    file: 'src/services/evalSession.ts',
    from: 'scenarioIds,\n        epochs: Array',
    to: 'scenarioIds: epochs > 2 ? scenarioIds.slice(1) : scenarioIds,\n        epochs: Array',
    test: 'test/integration/evaluation/badInput.test.ts',
    title: 'same number of epochs',
  },
  {
    name: 'cache',
    removed: 'answers from a cache count',
    file: 'src/services/answersSeen.ts',
    from: "repeats.kind === 'cached' || ",
    to: '',
    test: 'test/integration/evaluation/repeats.test.ts',
    title: 'a provider that caches',
  },
  {
    name: 'overfit',
    removed: 'an edit is screened on what its proposer saw',
    file: 'src/services/groups.ts',
    from: 'new Set(experiment.shownGroups ?? [])',
    to: 'new Set<string>()',
    test: 'test/integration/evaluation/stages.test.ts',
    title: 'groups that the proposer saw',
  },
  {
    name: 'deletions',
    removed: 'the variance of a deletion is the one between groups alone',
    file: 'src/gate/deletion.ts',
    from: 'Math.max(estimate.within, estimate.between, least)',
    to: 'estimate.between',
    test: ADVERSARIAL,
    title: 'kept in at most 1.2 alpha',
  },
];

const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : null;
const chosen = SAFEGUARDS.filter(({ name }) => only === null || name === only);
const copy = mkdtempSync(join(tmpdir(), 'karpathy-safeguards-'));
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
process.exitCode = blind === 0 ? 0 : 1;

/** Whether the test passes with the safeguard and fails without it. */
function seen({ name, removed, file, from, to, test, title }) {
  const path = join(copy, file);
  const whole = readFileSync(path, 'utf8');
  if (!whole.includes(from)) {
    console.log(`${name}: ${file} no longer has ${JSON.stringify(from)}`);
    return false;
  }
  const kept = passes(test, title);
  writeFileSync(
    path,
    whole.replace(from, () => to),
  );
  const without = passes(test, title);
  writeFileSync(path, whole);
  const verdict = kept && !without ? 'seen' : kept ? 'NOT SEEN' : 'fails even with it';
  console.log(`${name}: ${removed} → ${verdict} (${test}${title === '' ? '' : `, "${title}"`})`);
  return kept && !without;
}

function passes(test, title) {
  const vitest = join(copy, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', test, ...(title === '' ? [] : ['-t', title])];
  return spawnSync(process.execPath, args, { cwd: copy, stdio: 'ignore' }).status === 0;
}
