import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { cleanup, createHermesRoot, installPlugin } from '#test/support/hermesHost.js';
import { openTerminal, tmuxMissing, type Terminal } from '#test/support/tmux.js';
import { openShop, SENTENCE, SOUL, SOUL_AFTER, type Shop } from './shop.js';

const missing = tmuxMissing();
if (missing) console.warn(missing);

/** Says something in a chat and waits for the answer to it. */
async function ask(chat: Terminal, text: string, answer: string | RegExp): Promise<string> {
  await chat.mark();
  await chat.line(text);
  return chat.waitFor(answer);
}

describe.skipIf(missing !== null)('/karpathy in an interactive chat of the real Hermes', () => {
  let shop: Shop;
  let chat: Terminal;
  beforeAll(async () => {
    shop = await openShop({ setUp: true });
    chat = await shop.terminal(['hermes', 'chat']);
    await chat.waitFor('Type your message');
  });
  afterAll(() => shop.close());

  const state = () => shop.row<{ state: string }>('SELECT state FROM experiments WHERE id = 1')?.state;
  const openJobs = () =>
    shop.row<{ n: number }>(`SELECT count(*) AS n FROM jobs WHERE state IN ('queued', 'running', 'waiting')`)?.n;

  it('proposes, and tests in the background up to a verdict that status shows', async () => {
    await ask(chat, 'Tell me about bees.', 'As for bees, all is well.');
    const answer = await ask(chat, '/karpathy propose', 'see how far it is');
    expect(answer).toContain('Experiment 1 is started and runs in the background.');
    await vi.waitFor(() => expect(openJobs()).toBe(0), { timeout: 240_000, interval: 500 });
    const screen = await ask(chat, '/karpathy status', '/karpathy approve 1 --apply');
    expect(screen).toContain('Experiment 1 inserts after sentence 3 of SOUL.md, written by shop-proposer');
    expect(screen).toContain('evidence: KEEP (+100 points, p = 0.0078, 7 hidden scenario groups, 1 × each)');
    expect(state()).toBe('proposed');
    expect(shop.soul()).toBe(SOUL);
  });

  it('shows, approves, applies and reverts without asking the model, and the chat goes on', async () => {
    const turns = shop.turns();

    const shown = await ask(chat, '/karpathy show', '/karpathy reject 1');
    expect(shown).toContain(`{+${SENTENCE}+}`);
    expect(shown).toContain('holdout: 7 scenarios, 7 better, 0 worse, 0 same');
    expect(shown).not.toContain('roses');

    await ask(chat, '/karpathy approve 1', 'Experiment 1 is approved.');
    expect([state(), shop.soul()]).toEqual(['approved', SOUL]);

    await ask(chat, '/karpathy apply 1', 'Applied: SOUL.md is written.');
    expect([state(), shop.soul()]).toEqual(['live', SOUL_AFTER]);
    await ask(chat, '/karpathy status', 'sessions: 0 of 10 seen');

    await ask(chat, '/karpathy revert 1', 'A revert needs a reason.');
    expect(state()).toBe('live');
    await ask(chat, '/karpathy revert 1 too stiff', 'SOUL.md has its prior bytes back.');
    expect([state(), shop.soul()]).toEqual(['reverted', SOUL]);

    expect(shop.turns()).toBe(turns);
    await ask(chat, 'Tell me about wasps.', 'As for wasps, all is well.');
    expect(shop.turns()).toBe(turns + 1);
    expect(shop.said().filter((text) => text.includes('/karpathy'))).toEqual([]);
    await chat.line('/exit');
    expect(await chat.exitCode()).toBe(0);
  });
});

it.skipIf(missing !== null)('/karpathy before set-up says what to run, and the chat goes on', async () => {
  // Nothing listens there; without a model Hermes would lead through its own set-up instead.
  const root = createHermesRoot({ model: { baseUrl: 'http://127.0.0.1:9/v1', model: 'none' } });
  let chat: Terminal | undefined;
  try {
    await installPlugin(root, { fresh: true });
    chat = await openTerminal({ command: [root.install.hermes, 'chat'], env: root.env, cwd: root.cwd });
    await chat.waitFor('Type your message');
    await ask(chat, '/karpathy status', 'hermes karpathy setup');
    await chat.line('/exit');
    expect(await chat.exitCode()).toBe(0);
  } finally {
    await chat?.close();
    cleanup(root);
  }
});
