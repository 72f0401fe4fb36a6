import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { temporaryDirectory } from '../../support/context.js';
import { PROJECT_DIR } from '../../support/project.js';

const HOST = join(PROJECT_DIR, 'host');

/** A slot as far as the guard looks at it, with a module in the place of the host's. */
function slot(): { dir: string; env: NodeJS.ProcessEnv } {
  const dir = temporaryDirectory();
  mkdirSync(join(dir, 'modules'));
  writeFileSync(
    join(dir, 'modules', 'hermes_constants.py'),
    `def get_hermes_home():\n    return ${JSON.stringify(dir)}\n`,
  );
  const trial = { policy: 'simulated', record: join(dir, 'record'), state_db: join(dir, 'state.db'), token_limit: 100 };
  writeFileSync(join(dir, 'karpathy-trial.json'), JSON.stringify(trial));
  const path = [HOST, join(dir, 'modules')].join(':');
  return { dir, env: { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' } };
}

const TRIAL = `
import slot_guard, time, os
class Ctx:
    def register_middleware(self, kind, callback): pass
slot_guard.register(Ctx())
print(os.getpid(), flush=True)
time.sleep(60)
`;

it('ends a trial whose runner was killed', async () => {
  const { dir, env } = slot();
  // The runner: it waits for the trial, and is killed.
  const runner = spawn(
    process.execPath,
    [
      '-e',
      'require("child_process").spawn("python3", ["-c", process.argv[1]], { stdio: "inherit", detached: true })',
      TRIAL,
    ],
    { env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const pid = await new Promise<number>((resolve) => runner.stdout.once('data', (data) => resolve(Number(data))));
  const alive = () => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  expect(alive()).toBe(true);
  runner.kill('SIGKILL');
  try {
    await vi.waitFor(() => expect(alive()).toBe(false), { timeout: 8000, interval: 50 });
  } finally {
    if (alive()) process.kill(pid, 'SIGKILL');
  }
  expect(readFileSync(join(dir, 'record'), 'utf8')).toContain('the process that started the trial is gone');
});

it('counts tokens that were read from or written to a cache against the limit of a trial', () => {
  const { dir, env } = slot();
  const script = `
import sqlite3, types
from slot_guard.budget import Budget
def used(usage):
    budget = Budget(100, ${JSON.stringify(join(dir, 'state.db'))})
    said = budget.add(types.SimpleNamespace(usage=usage))
    return [said["input_tokens"], budget.used()]
print(used({"input_tokens": 5, "output_tokens": 2, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 3}))
print(used({"prompt_tokens": 40, "completion_tokens": 2, "cache_read_input_tokens": 30}))
db = sqlite3.connect(${JSON.stringify(join(dir, 'state.db'))})
db.execute("CREATE TABLE session_model_usage (input_tokens, output_tokens, cache_read_tokens, cache_write_tokens)")
db.execute("INSERT INTO session_model_usage VALUES (10, 5, 70, 15)")
db.commit()
print(Budget(100, ${JSON.stringify(join(dir, 'state.db'))}).spent())
`;
  expect(execFileSync('python3', ['-c', script], { env, encoding: 'utf8' }).trim().split('\n')).toEqual([
    '[38, 40]',
    '[40, 42]',
    'True',
  ]);
});
