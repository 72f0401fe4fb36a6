import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { pathsUnder } from '#src/hermes/paths.js';
import { hermesOk } from '#test/support/hermesHost.js';
import { tmuxMissing, type Terminal } from '#test/support/tmux.js';
import { openShop, PROPOSER, SENTENCE, SOUL, SOUL_AFTER, type Shop } from './shop.js';

const missing = tmuxMissing();
if (missing) console.warn(missing);

const ESCAPE = '\u001b[';

/** The tests are one sitting at one terminal: each goes on where the one before ended. */
describe.skipIf(missing !== null)('hermes karpathy in a terminal', () => {
  let shop: Shop;
  let shell: Terminal;
  beforeAll(async () => {
    shop = await openShop({ setUp: false });
    shell = await shop.terminal(['sh']);
  });
  afterAll(() => shop.close());

  /** Types a command whose exit code is printed when it ends. */
  async function start(command: string): Promise<void> {
    await shell.mark();
    await shell.line(`${command}; echo "code $?"`);
  }
  async function ended(code: number): Promise<string> {
    const screen = await shell.waitFor(/^code \d+$/m, { timeoutMs: 120_000 });
    expect(screen).toMatch(new RegExp(`^code ${code}$`, 'm'));
    return screen;
  }
  async function run(command: string, code = 0): Promise<string> {
    await start(command);
    return ended(code);
  }
  const state = () => shop.row<{ state: string }>('SELECT state FROM experiments WHERE id = 1')?.state;
  const profiles = () => shop.row<{ n: number }>('SELECT count(*) AS n FROM profiles')?.n;
  const markers = () => {
    const { enabledMarkers } = pathsUnder(shop.root.home);
    return existsSync(enabledMarkers) ? readdirSync(enabledMarkers) : [];
  };

  it('helps, answers in JSON, and tells by its exit code how it went', async () => {
    expect(await run('hermes karpathy --help')).toContain('Exit codes: 0 done');
    expect(await run('hermes karpathy propose --help')).toContain("hermes karpathy propose --rewrite 3 'Ask");
    const [json = ''] = /^\{.*\}$/m.exec(await run('hermes karpathy --json status')) ?? [];
    expect(JSON.parse(json)).toMatchObject({ profile: 'default', initialised: false, next: { commands: ['init'] } });
    expect(await run('hermes karpathy nonsense', 2)).toContain("Unknown command 'nonsense'");
    expect(await run('hermes karpathy propose', 3)).toContain('Run `hermes karpathy init`');
  });

  it('is in colour on the terminal and without when piped', async () => {
    const coloured = async (command: string) => {
      await run(`clear; ${command}`);
      const screen = await shell.capture({ colours: true });
      return screen.slice(screen.indexOf('profile')).includes(ESCAPE);
    };
    expect(await coloured('hermes karpathy status')).toBe(true);
    expect(await coloured('hermes karpathy status | cat')).toBe(false);
    expect(await coloured('NO_COLOR=1 hermes karpathy status')).toBe(false);
  });

  /** Answers init's questions up to the last one, whether to agree. */
  async function answerInit(): Promise<void> {
    await start('hermes karpathy init');
    await shell.waitFor('Which file of the profile is to be improved?');
    await shell.keys('Enter');
    await shell.waitFor('Which model writes the changes?');
    await shell.keys('Down', 'Enter');
    await shell.waitFor('Server and model of the proposer');
    await shell.line('nonsense');
    await shell.waitFor('For example http://');
    await shell.keys(...Array<string>('nonsense'.length).fill('BSpace'));
    await shell.line(`${shop.server.baseUrl}#${PROPOSER}`);
    await shell.waitFor('Environment variable that holds its key');
    await shell.keys('Enter');
    await shell.waitFor('model that judges answers');
    await shell.keys('Enter');
    await shell.waitFor('Hard limit for one edit, in tokens');
    await shell.keys('Enter');
    await shell.waitFor('do you agree to who will see which text?');
  }

  it('init asks, and Ctrl-C at its last question leaves nothing behind', async () => {
    await answerInit();
    await shell.keys('C-c');
    expect(await ended(130)).toContain('Nothing was changed by it.');
    expect([profiles(), markers()]).toEqual([0, []]);
  });

  it('init asks, shows who will see which text, and sets the profile up', async () => {
    await answerInit();
    await shell.keys('y');
    const screen = await ended(0);
    expect(screen).toMatch(
      /The proposer, shop-proposer at 127\.0\.0\.1:\d+ \(this machine\), sees the whole of SOUL\.md/,
    );
    expect(screen).toContain('✓ The profile is set up.');
    expect([profiles(), markers().length]).toEqual([1, 1]);
    expect(await run('hermes karpathy scenario import suite.yaml')).toContain('8 scenarios added');
  });

  /** Time in ms until no process of a command is left. */
  async function untilGone(left: () => readonly unknown[]): Promise<number> {
    const began = performance.now();
    await vi.waitFor(() => expect(left()).toEqual([]), { timeout: 20_000, interval: 20 });
    return performance.now() - began;
  }
  /** Two seconds, where there are not many more programs than processors to run them. */
  const soon = () => ((loadavg()[0] ?? 0) > 4 * availableParallelism() ? 10_000 : 2_000);
  const trials = () => shop.row<{ n: number }>('SELECT count(*) AS n FROM trials')?.n ?? 0;
  /** What an executor that was stopped must not leave behind. */
  const halfDone = () => ({
    reserved: shop.row<{ n: number }>(`SELECT count(*) AS n FROM cost_ledger WHERE state = 'reserved'`)?.n,
    running: shop.row<{ n: number }>(`SELECT count(*) AS n FROM eval_runs WHERE state = 'running'`)?.n,
    slots: readdirSync(join(shop.root.dataDir, 'slots')).filter((name) => name !== 'frozen'),
    soul: shop.soul(),
  });
  const NOTHING = { reserved: 0, running: 0, slots: [], soul: SOUL };

  it('Ctrl-C in the middle of trials ends all processes of an evaluation within two seconds', async () => {
    const { held, release } = shop.holdAfter(4);
    const left = shop.newProcesses();
    await start(`hermes karpathy propose --insert-after 3 '${SENTENCE}'`);
    await held;
    expect(left().length).toBeGreaterThan(4);
    await shell.keys('C-c');
    expect(await untilGone(left)).toBeLessThan(soon());
    expect(await ended(130)).toContain('`hermes karpathy work` resumes it');
    expect([trials(), halfDone()]).toEqual([4, NOTHING]);
    release();
  });

  it('pause, in another process, does so, too; resume and work go on, and no trial is lost or doubled', async () => {
    const { held, release } = shop.holdAfter(4);
    const left = shop.newProcesses();
    await start('hermes karpathy work');
    await held;
    await hermesOk(shop.root, ['karpathy', 'pause', '--reason', 'lunch']);
    expect(await untilGone(left)).toBeLessThan(soon());
    expect(await ended(1)).toContain('job 1 (evaluate) paused: Job 1 was paused; what is finished is kept.');
    const stopped = JSON.parse(await hermesOk(shop.root, ['karpathy', 'status', '--json'])) as unknown;
    expect(stopped).toMatchObject({
      paused: { reason: 'lunch' },
      job: { id: 1, state: 'paused' },
      experiment: { state: 'proposed', phase: 'paused', verdict: null },
      next: { commands: ['evaluate 1', 'resume'] },
    });
    expect([trials(), halfDone()]).toEqual([8, NOTHING]);
    release();

    await start('hermes karpathy resume');
    await shell.waitFor('Let the autonomous loop propose again?');
    await shell.keys('y');
    expect(await ended(0)).toContain('`hermes karpathy work` goes on with what it stopped');
    await run('hermes karpathy work');
    expect(await run('hermes karpathy status')).toContain('KEEP (+100 points, p = 0.0078');
    // Every answer is a trial, but for those that were held. What was cut off is half a pair for each slot, at most.
    expect(trials()).toBe(shop.turns() - 4);
    expect(trials()).toBeLessThanOrEqual(14 + 4);
    const whole = `SELECT count(*) AS n FROM (SELECT 1 FROM trials GROUP BY scenario_id, attempt HAVING count(*) = 2)`;
    expect(shop.row<{ n: number }>(whole)?.n).toBe(7);
    expect(shop.row<{ n: number }>(`SELECT count(*) AS n FROM eval_runs`)?.n).toBe(1);
  });

  it('approve asks a person: not an agent’s shell, not without a terminal, and no is no', async () => {
    const approve = 'hermes karpathy approve 1 --apply';
    expect(await run(`HERMES_SESSION_ID=s1 ${approve} --yes`, 3)).toContain("the shell of an agent's session");
    expect(await run(`${approve} --yes < /dev/null`, 3)).toContain('there is no terminal to ask on');
    await start(approve);
    await shell.waitFor('Approve experiment 1 and write SOUL.md?');
    await shell.keys('n');
    expect(await ended(3)).toContain('Not agreed; nothing was changed.');
    expect([state(), shop.soul()]).toEqual(['proposed', SOUL]);

    await start(approve);
    await shell.waitFor('Approve experiment 1 and write SOUL.md?');
    await shell.keys('y');
    await ended(0);
    expect([state(), shop.soul()]).toEqual(['live', SOUL_AFTER]);
    expect(await run('hermes karpathy approve 1', 3)).toContain('Experiment 1 is live');
  });
});
