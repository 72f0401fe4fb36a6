import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { findHermes, hermesVersion } from '#src/hermes/hermesCommand.js';
import { parseProcessList } from '#src/hermes/processes.js';
import { temporaryDirectory } from '../../support/context.js';

let directory: string;
let python: string;

beforeEach(() => {
  directory = temporaryDirectory();
  python = script('venv/python3', '#!/bin/sh\nexit 0\n');
});

function script(name: string, text: string): string {
  const path = join(directory, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

function find(configured: string | null, env: NodeJS.ProcessEnv = {}) {
  return findHermes({ env, configured, fromHost: null });
}

describe('findHermes', () => {
  test('takes the interpreter from the first line of the script', () => {
    const hermes = script('bin/hermes', `#!${python}\nimport sys\n`);
    expect(find(hermes)).toEqual({ command: [hermes], python });
    expect(find(null, { PATH: `/nowhere:${join(directory, 'bin')}` })).toEqual({ command: [hermes], python });
  });

  test('looks an interpreter up that env should find', () => {
    const hermes = script('bin/hermes', '#!/usr/bin/env python3\n');
    expect(find(hermes, { PATH: join(directory, 'venv') })?.python).toBe(python);
  });

  test.each([
    ['a shell script that runs Python', (p: string) => `#!/bin/sh\n'''exec' "${p}" "$0" "$@"\n' '''\n`],
    [
      'a shell script that runs Python from a variable',
      () => '#!/bin/bash\nexec "$BASE/venv/python3" -m hermes_cli.main "$@"\n',
    ],
  ])('reads %s', (_, text) => {
    const hermes = script('bin/hermes', text(python));
    expect(find(hermes, { BASE: directory })?.python).toBe(python);
  });

  test('follows a launcher to the script behind it, and a link to the interpreter beside its target', () => {
    const inner = script('venv/hermes', `#!${python}\n`);
    expect(find(script('bin/launcher', `#!/bin/sh\nexec "${inner}" "$@"\n`))?.python).toBe(python);
    script('venv/compiled', '\x7fELF');
    symlinkSync(join(directory, 'venv', 'compiled'), join(directory, 'bin', 'linked'));
    expect(find(join(directory, 'bin', 'linked'))?.python).toBe(python);
  });

  test('prefers what is configured, then the host that started us', () => {
    const fromHost = { command: ['/host/python', '-m', 'hermes_cli.main'], python: '/host/python' };
    const hermes = script('bin/hermes', `#!${python}\n`);
    const env = { PATH: join(directory, 'bin') };
    expect(findHermes({ env, configured: hermes, fromHost })?.command).toEqual([hermes]);
    expect(findHermes({ env, configured: null, fromHost })).toBe(fromHost);
  });

  test('finds nothing where there is nothing, and does not fall back from a wrong choice', () => {
    const fromHost = { command: ['x'], python: 'x' };
    expect(find(null, { PATH: '/nowhere' })).toBeNull();
    expect(findHermes({ env: {}, configured: join(directory, 'missing'), fromHost })).toBeNull();
  });

  test('asks for the version', async () => {
    const hermes = script('bin/hermes', '#!/bin/sh\necho "Hermes Agent v9.8.7 (2026)"\n');
    expect(await hermesVersion({ command: [hermes], python })).toBe('9.8.7');
    const broken = script('bin/broken', '#!/bin/sh\nexit 3\n');
    expect(await hermesVersion({ command: [broken], python })).toBeNull();
  });
});

test('parseProcessList keeps what looks like a Hermes and reads its age', () => {
  const seen = parseProcessList(
    [
      '  101    02:03 /opt/venv/bin/python /opt/venv/bin/hermes gateway run',
      '  102 1-00:00:01 python3 -m hermes_cli.main chat',
      '  103    00:05 vim hermes',
      '  104    00:05 python /x/hermes karpathy work',
      '  105    00:05 python /x/hermes chat -q hi --source tool',
      'nonsense',
    ].join('\n'),
  );
  expect(seen.map((p) => [p.pid, p.ageMs])).toEqual([
    [101, 123_000],
    [102, 86_401_000],
  ]);
});
