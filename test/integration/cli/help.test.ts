import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { allCommands } from '#src/cli/commands/index.js';
import { parseArgv } from '#src/cli/parse.js';
import type { CliIo } from '#src/cli/io.js';
import { KarpathyError } from '#src/errors.js';
import { testContext, type TestContext } from '../../support/context.js';
import { splitWords } from '#src/slash/words.js';
import { cli } from './harness.js';
import { PROJECT_DIR } from '#test/support/project.js';

let fixture: TestContext;
beforeAll(() => {
  fixture = testContext();
});

const COMMANDS = await allCommands();
const paths = COMMANDS.map((command) => command.path);

describe('help', () => {
  it('lists every command with its summary, the commands of the host, and the exit codes', async () => {
    const { code, stdout, stderr } = await cli(fixture, ['--help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const path of paths) expect(stdout).toMatch(new RegExp(`^ {2}${path.split(' ')[0]}\\b`, 'mu'));
    expect(stdout).toContain('hermes karpathy setup');
    expect(stdout).toContain('hermes karpathy install --profile NAME');
    expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by a rule, 130 interrupted.');
  });

  it('is what an empty command line answers', async () => {
    const { code, stdout } = await cli(fixture, []);
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: hermes karpathy');
  });

  it('names no command of later work', async () => {
    const { stdout } = await cli(fixture, ['--help']);
    expect(stdout).not.toMatch(/dashboard/);
  });

  test.each(paths)('of %s has its usage and an example', async (path) => {
    const { code, stdout } = await cli(fixture, [...path.split(' '), '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Usage: hermes karpathy ${path}`);
    expect(stdout).toMatch(/Examples:\n {2}hermes karpathy /u);
  });

  it('speaks of the program as it was called', async () => {
    const { stdout } = await cli(fixture, ['status', '--help'], { helpName: 'karpathy' });
    expect(stdout).toContain('Usage: karpathy status');
    expect(stdout).toContain('  karpathy status');
    expect(stdout).not.toContain('hermes');
  });

  it('is a JSON document with --json', async () => {
    const run = await cli(fixture, ['--json', 'status', '--help']);
    expect(run.json<{ help: string }>().help).toContain('Usage: hermes karpathy status');
  });
});

describe('examples', () => {
  const io = {
    helpName: 'karpathy',
    version: '0',
    stdout: { write: () => 0 },
    stderr: { write: () => 0 },
  } as unknown as CliIo;
  const examples = COMMANDS.flatMap((spec) => spec.examples.map((example) => [spec.path, example] as const));

  test.each(examples)('%s: `%s` is a command line that it accepts', (path, example) => {
    const call = parseArgv(splitWords(example), { specs: COMMANDS, io });
    if (call.kind !== 'run') throw new Error('the example only prints');
    expect(call.spec.path).toBe(path);
    expect(call.spec.input.safeParse(call.raw).error?.issues ?? []).toEqual([]);
  });
});

describe('docs/cli.md', () => {
  const text = readFileSync(join(PROJECT_DIR, 'docs/cli.md'), 'utf8');

  test.each([...paths, 'setup', 'install'])('has %s with an example', (path) => {
    const section = text.split(/^### /mu).find((part) => part.startsWith(`${path}\n`));
    expect(section).toBeDefined();
    expect(section).toMatch(new RegExp(`^ {4}hermes karpathy ${path.replace(/ list$/u, '')}`, 'mu'));
  });

  it('has no command that the program lacks', () => {
    const documented = [...text.matchAll(/^### (.+)$/gmu)].map((match) => match[1]);
    expect(documented.filter((name) => !paths.includes(name ?? '')).sort()).toEqual(['install', 'setup']);
  });
});

describe('what is not a command', () => {
  it('gets the nearest one as a hint', async () => {
    const { code, stderr, stdout } = await cli(fixture, ['statsu']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe("error: Unknown command 'statsu'.\n→ Did you mean status?\n");
  });

  it('is said as JSON on stderr with --json', async () => {
    const run = await cli(fixture, ['statsu', '--json']);
    expect(run.code).toBe(2);
    expect(run.error()).toEqual({
      code: 'bad_usage',
      message: "Unknown command 'statsu'.",
      hint: 'Did you mean status?',
    });
  });

  test.each([
    [['status', '--nonsense'], "Unknown option '--nonsense'."],
    [['approve'], "Missing required argument 'id'."],
    [['scenario', 'frob'], "Unknown command 'frob'."],
    [['scenario'], 'A command is missing.'],
    [['reject', '7', '--reason'], "Option '--reason <text>' argument missing."],
    [['show', '7', '8'], "Too many arguments for 'show'. Expected 1 argument but got 2."],
  ])('%j: %s', async (argv, message) => {
    const run = await cli(fixture, ['--json', ...argv]);
    expect(run.code).toBe(2);
    expect(run.error().message).toBe(message);
    expect(run.error().hint).toBeTruthy();
  });

  it.each(['setup', 'install'])('%s is explained, since Hermes does it', async (name) => {
    const run = await cli(fixture, [name, '--all', '--json'], { helpName: 'karpathy' });
    expect(run.code).toBe(2);
    expect(run.error().hint).toContain(`hermes karpathy ${name}`);
  });
});

describe('whatever goes wrong', () => {
  it('is never a stack trace, unless it is asked for', async () => {
    const openFails = new TypeError('undefined is not a function');
    const quiet = await cli(fixture, ['status'], { openFails });
    expect(quiet.code).toBe(1);
    expect(quiet.stderr).toBe('error: Unexpected failure: undefined is not a function\n');
    const loud = await cli(fixture, ['status'], { openFails, env: { KARPATHY_DEBUG: '1' } });
    expect(loud.stderr).toContain('help.test.ts');
  });

  it('names every problem on a line of its own', async () => {
    const openFails = new KarpathyError('bad_config', 'The section is not valid.', {
      problems: [
        { path: 'a.b', value: '"x"', message: 'must be a number' },
        { path: 'a.c', message: 'is not a known key' },
      ],
      hint: 'docs/configuration.md lists every key.',
    });
    const { code, stderr } = await cli(fixture, ['status'], { openFails });
    expect(code).toBe(2);
    expect(stderr).toBe(
      'error: The section is not valid.\n  a.b = "x": must be a number\n  a.c: is not a known key\n→ docs/configuration.md lists every key.\n',
    );
  });
});

it('prints the version', async () => {
  expect((await cli(fixture, ['--version'])).stdout).toBe('1.2.3\n');
});
