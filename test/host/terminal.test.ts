import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pathsUnder } from '#src/hermes/paths.js';
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

  it('Ctrl-C ends an evaluation at once, and work goes on from there', async () => {
    await start(`hermes karpathy propose --insert-after 3 '${SENTENCE}'`);
    // Two slots: with three trials done one pair is complete; the other one, half done, is run again.
    await shell.waitFor(/evaluating [3-9]\/14/, { timeoutMs: 90_000 });
    await shell.keys('C-c');
    expect(await ended(130)).toContain('`hermes karpathy work` resumes it');
    const turns = shop.turns();
    await run('hermes karpathy work');
    expect(shop.turns() - turns).toBeLessThanOrEqual(12);
    expect(await run('hermes karpathy status')).toContain('KEEP (+100 points, p = 0.0078');
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
