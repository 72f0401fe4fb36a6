import { PassThrough } from 'node:stream';
import { expect } from 'vitest';
import { runCli } from '#src/cli/run.js';
import { KarpathyError, type ErrorCode, type Problem } from '#src/errors.js';
import { errorsOf, type BadInput, type Kind } from './badInput.js';
import { differences, tablesOf, treeOf, type Tree } from './tree.js';
import { lay, openWorld, SECRETS, type World } from './world.js';

interface Told {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface ToldError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly problems?: readonly Problem[];
}

/** More than a screen or two of it would hide what is wrong. */
const LONGEST = 8_000;

export function kindOf(kind: string, cases: readonly BadInput[]): Kind<BadInput> {
  return { kind, cases, errors: errorsOf(cases), check: checkBadInput };
}

/** Lays the world, puts the bad thing in place, runs the command, and holds the answer and the disk against the row. */
async function checkBadInput(bad: BadInput): Promise<void> {
  const world = await lay(bad.world ?? 'ready');
  await bad.put?.(world);
  const before = treeOf(world.place);
  const tables = bad.records === undefined ? null : tablesOf(world.paths.dbPath);
  const document = await tell(world, bad, true);
  checkError(bad, document);
  checkDisk(world, { bad, before, tables });
  // What a person reads has the same parts, so that a third of the rows is enough; a refusal that leaves a record would
  // be another one the second time.
  if (bad.records !== undefined || bad.name.length % 3 !== 0) return;
  const text = await tell(world, bad, false);
  checkText(bad, text, toldError(document));
  checkDisk(world, { bad, before, tables });
}

async function tell(world: World, bad: BadInput, json: boolean): Promise<Told> {
  const terminal = bad.terminal ?? true;
  const out: string[] = [];
  const err: string[] = [];
  const stdin = new PassThrough();
  stdin.end(bad.stdin ?? '');
  const own = typeof bad.run === 'function' ? bad.run(world) : bad.run;
  const env = { ...world.env, ...bad.env?.(world) };
  const warned = (warning: Error) => void err.push(`a warning of the process: ${warning.message}\n`);
  process.on('warning', warned);
  try {
    const exit = await runCli(json ? ['--json', ...own] : own, {
      open: async (request) => {
        const { ctx, close } = openWorld(world, {
          profile: request.profile ?? 'dev',
          surface: { kind: request.surface, interactive: request.interactive, agentShell: bad.agentShell ?? false },
          env,
          signal: request.signal,
          withoutDatabase: request.withoutDatabase ?? false,
          trials: bad.trials ?? false,
        });
        return { ctx: { ...ctx, onProgress: request.onProgress ?? ctx.onProgress }, close };
      },
      stdout: { write: (text) => out.push(text), columns: 100 },
      stderr: { write: (text) => err.push(text), columns: 100 },
      stdin,
      env,
      isTTY: { stdin: terminal, stdout: false, stderr: false },
      version: '1.2.3',
      helpName: 'hermes karpathy',
      cwd: world.work,
      signal: new AbortController().signal,
      ask: { confirm: async () => true, text: async () => '', select: async () => '' },
    });
    // Warnings come a turn later.
    await new Promise((next) => setImmediate(next));
    return { exit, stdout: out.join(''), stderr: err.join('') };
  } finally {
    process.off('warning', warned);
  }
}

function toldError({ stderr }: Told): ToldError {
  return (JSON.parse(stderr) as { error: ToldError }).error;
}

function checkError(bad: BadInput, told: Told): void {
  checkManners(told);
  const error = toldError(told);
  expect(error.code, told.stderr).toBe(bad.code);
  expect(told.exit).toBe(new KarpathyError(bad.code, '').exitCode);
  const problems = (error.problems ?? []).map((p) => `${p.path} = ${p.value ?? ''}: ${p.message}`);
  const said = [error.message, ...problems].join('\n');
  for (const name of bad.names) {
    if (typeof name === 'string') expect(said).toContain(name);
    else expect(said).toMatch(name);
  }
  expect(error.hint ?? '', `no way out is said of: ${said}`).not.toBe('');
}

/** The same, as a person reads it. */
function checkText(bad: BadInput, told: Told, error: ToldError): void {
  checkManners(told);
  expect(told.exit).toBe(new KarpathyError(bad.code, '').exitCode);
  expect(told.stderr).toMatch(/^error: /m);
  expect(told.stderr).toContain('→ ');
  expect(told.stderr.split('\n').length).toBeGreaterThan(1 + (error.problems ?? []).length);
}

/** What no error may do, whatever it is about. */
export function checkManners({ stdout, stderr }: Pick<Told, 'stdout' | 'stderr'>): void {
  const said = stdout + stderr;
  expect(stdout).toBe('');
  expect(said).not.toMatch(/^\s+at /m);
  expect(said).not.toMatch(
    /\b(Sqlite|Zod|Type|Range|Syntax|Reference|YAMLParse)Error\b|\[object |node:internal|\bundefined\b/,
  );
  expect(said).not.toMatch(/(src|node_modules|dist)\/[\w/.-]+\.(ts|js|mjs|cjs)\b/);
  expect(said).not.toContain('Unexpected failure');
  expect(said).not.toContain('a warning of the process');
  // eslint-disable-next-line no-control-regex -- what a terminal would obey
  expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  expect(said.length).toBeLessThan(LONGEST);
  for (const secret of SECRETS) expect(said).not.toContain(secret);
}

function checkDisk(
  world: World,
  { bad, before, tables }: { bad: BadInput; before: Tree; tables: ReadonlyMap<string, string> | null },
): void {
  const after = treeOf(world.place);
  if (bad.records === undefined || tables === null) return void expect(differences(before, after)).toEqual([]);
  expect(differences(before, after, (path) => path.endsWith('.db'))).toEqual([]);
  const now = tablesOf(world.paths.dbPath);
  const changed = [...now.keys()].filter((name) => now.get(name) !== tables.get(name));
  expect(changed.filter((name) => !bad.records?.includes(name) && name !== 'sqlite_sequence')).toEqual([]);
  for (const secret of SECRETS) expect([...now.values()].join('\n')).not.toContain(secret);
}
