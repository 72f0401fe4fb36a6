import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A real repository for tests, apart from the machine's own git configuration. */
export interface TestRepository {
  readonly root: string;
  /** Runs git and returns what it printed, without the last newline. @throws when git fails */
  git(...args: string[]): string;
  write(path: string, content: string): void;
  /** Every index entry but those of `except`, as `git ls-files -s` prints them. */
  index(except?: string): string[];
  hook(name: string, script: string): void;
}

function cleanEnv(): NodeJS.ProcessEnv {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('GIT_')));
  return { ...env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
}

/** A handle on a work tree that exists. */
export function repositoryAt(root: string): TestRepository {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: root,
      env: cleanEnv(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trimEnd();
  return {
    root,
    git,
    write(path, content) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
    },
    index: (except) =>
      git('ls-files', '-s')
        .split('\n')
        .filter((line) => except === undefined || !line.endsWith(`\t${except}`)),
    hook(name, script) {
      const path = join(root, '.git', 'hooks', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
    },
  };
}

/** `git init` with an identity of its own, and everything that lies there committed unless told otherwise. */
export function createRepository(root: string, options: { readonly commit?: boolean } = {}): TestRepository {
  mkdirSync(root, { recursive: true });
  const repository = repositoryAt(root);
  repository.git('init', '--quiet', '--initial-branch=main');
  repository.git('config', 'user.name', 'Test Person');
  repository.git('config', 'user.email', 'person@example.org');
  repository.git('config', 'commit.gpgsign', 'false');
  if (options.commit !== false) {
    repository.git('add', '--all');
    repository.git('commit', '--quiet', '--message', 'first');
  }
  return repository;
}
