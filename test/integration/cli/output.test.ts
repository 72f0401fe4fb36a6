import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuild, projectDir } from '#scripts/bootstrap.mjs';
import { temporaryDirectory } from '../../support/context.js';

/** The built program, with its output sent where the shell says. */
function karpathy(command: string) {
  const program = `'${process.execPath}' '${join(projectDir, 'dist', 'cli.mjs')}'`;
  return spawnSync('bash', ['--norc', '-o', 'pipefail', '-c', `${program} ${command}`], {
    env: { PATH: process.env.PATH, HERMES_HOME: temporaryDirectory() },
    encoding: 'utf8',
  });
}

describe('an answer', () => {
  beforeAll(() => ensureBuild());

  it.runIf(existsSync('/dev/full')).each(['status', '--json status', '--help'])(
    'that cannot be written is a failure: %s',
    (command) => {
      const { status, stderr } = karpathy(`${command} > /dev/full`);
      expect(status).toBe(1);
      expect(stderr).toContain('The answer could not be written');
      expect(stderr).not.toMatch(/^\s+at /mu);
    },
  );

  it('whose reader went away is none', () => {
    const { status, stderr } = karpathy('--help | true');
    expect([status, stderr]).toEqual([0, '']);
  });
});
