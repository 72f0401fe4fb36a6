import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import pLimit from 'p-limit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openContext } from '#src/app.js';
import { collectMetrics } from '#src/services/collect.js';
import type { Opened } from '#src/services/opened.js';
import { refreshMarkers } from '#src/services/markers.js';
import { refreshWindows, type WindowStatus } from '#src/services/liveWindow.js';
import type { MetricsSnapshot } from '#src/store/metrics.js';
import { findSessionTag } from '#src/store/sessionTags.js';
import { insertProfile } from '#test/support/context.js';
import { live } from '#test/support/experiments.js';
import { cleanup, createHermesRoot, installPlugin, layProfile, runHermes } from '#test/support/hermesHost.js';
import type { HermesRoot } from '#test/support/hermesHost.js';
import { call, fail, say, startModelServer, textOf } from '#test/support/modelServer/index.js';
import type { ModelServer, Responder } from '#test/support/modelServer/index.js';
import { PROJECT_DIR } from '#test/support/project.js';
import { openTerminal, tmuxMissing, type Terminal } from '#test/support/tmux.js';

const missing = tmuxMissing();
if (missing) console.warn(missing);

const SOUL = 'You are Fern, who helps in a garden shop.\n';
const HOUR = 3_600_000;

/** Answers by the subject; asked for moths it lets a subagent look at snails; it is not there for who asks about wasps. */
const agent: Responder = (request) => {
  if ((request.tools?.length ?? 0) === 0) return say('A title');
  const question = textOf(request.messages.findLast(({ role }) => role === 'user'));
  const subject = /about (\w+)/i.exec(question)?.[1] ?? 'that';
  if (subject === 'wasps') return fail(401, 'Incorrect API key provided.');
  if (subject === 'moths' && request.messages.at(-1)?.role === 'user') {
    return call('delegate_task', { goal: 'Tell me about snails.' });
  }
  return say(`As for ${subject}, all is well.`);
};

/** The rows of docs/metrics.md that are shown here: what a kind of session counts as in a live window. */
function documented(): Map<string, string> {
  const text = readFileSync(join(PROJECT_DIR, 'docs', 'metrics.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.endsWith('| the real Hermes |'));
  return new Map(
    rows.map((row) => row.split('|').map((cell) => cell.trim())).map(([, kind = '', counts = '']) => [kind, counts]),
  );
}

/** Each kind's subject, by which its session is known again. */
const SUBJECTS = {
  '`hermes chat -q`': 'quinces',
  '`hermes -z`': 'zinnias',
  'an interactive chat': 'ivy',
  '`/new` in a chat that was open at the apply': 'newts',
  'a chat that was open at the apply': 'oaks',
  'a resumed session': 'reeds',
  'a session whose provider fails': 'wasps',
  'a session of a named profile': 'daisies',
  'a subagent': 'snails',
  "Hermes' background review of a conversation": 'ivy',
  'a cron job': 'crocus',
  '`--source tool`': 'thyme',
  'our own trials': 'tulips',
} as const;
type Kind = keyof typeof SUBJECTS;

describe.skipIf(missing !== null)('what a session counts as, in the real Hermes', () => {
  let server: ModelServer;
  let root: HermesRoot;
  let own: Opened;
  let dev: Opened;
  const chats: Terminal[] = [];
  let ahead = 0;
  let openChats: readonly string[] = [];
  let window: WindowStatus | undefined;
  let figures: MetricsSnapshot | undefined;

  const opened = (profileName: string): Opened =>
    openContext({
      ...{ root: root.home, profileName, pluginDir: PROJECT_DIR, hermes: null, host: null, env: {} },
      surface: { kind: 'cli', interactive: true, agentShell: false, platform: null },
      ...{ actor: 'person@cli', signal: new AbortController().signal },
      clock: { now: () => Date.now() + ahead },
    });
  const openChat = async (): Promise<Terminal> => {
    const command = [root.install.hermes, 'chat', '-t', 'todo,memory,delegation'];
    const chat = await openTerminal({ command, env: { ...root.env, NO_COLOR: undefined }, cwd: root.cwd });
    chats.push(chat);
    await chat.waitFor('Type your message');
    return chat;
  };
  const chatAbout = async (chat: Terminal, subject: string): Promise<void> => {
    await chat.mark();
    await chat.line(`Tell me about ${subject}.`);
    await chat.waitFor(`As for ${subject}, all is well.`);
  };
  async function hermes(code: number, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<void> {
    const { exitCode, stdout, stderr } = await runHermes(root, args, { env, timeoutMs: 300_000 });
    expect(exitCode, `hermes ${args.join(' ')}\n${stdout}\n${stderr}`).toBe(code);
  }
  const ask = (subject: string, ...args: string[]) => [
    ...args,
    'chat',
    '-Q',
    '-t',
    'todo',
    '-q',
    `Tell me about ${subject}.`,
  ];

  /** The session in which somebody asked about the subject. */
  function sessionOf(kind: Kind, home = root.home): string {
    const db = new Database(join(home, 'state.db'), { readonly: true });
    try {
      // By what was said first: a subagent's result is told in the chat that asked for it.
      const query = db.prepare(
        `SELECT session_id FROM messages WHERE role = 'user' GROUP BY session_id HAVING id = min(id) AND content LIKE ?`,
      );
      const found = new Set(query.pluck().all(`%about ${SUBJECTS[kind]}%`));
      expect([...found], kind).toHaveLength(1);
      return [...found][0] as string;
    } finally {
      db.close();
    }
  }
  const tagOf = (kind: Kind, of = own) => {
    const { id } = of.ctx.db.prepare('SELECT id FROM profiles WHERE root_path = ?').get(of.ctx.profile.rootPath) as {
      id: number;
    };
    return findSessionTag(of.ctx.db, { profileId: id, sessionId: sessionOf(kind, of.ctx.profile.home) });
  };

  beforeAll(async () => {
    server = await startModelServer({ models: { agent } });
    const model = { baseUrl: server.baseUrl, model: 'agent' };
    // A review after every second turn of a chat; nothing that a failing provider is asked twice for.
    const config = { memory: { memory_enabled: true, nudge_interval: 2 }, agent: { api_max_retries: 1 } };
    root = createHermesRoot({ model, soul: SOUL, config: { ...config, skills: { creation_nudge_interval: 0 } } });
    await installPlugin(root);
    const endpoint = { provider: 'custom', default: 'agent', base_url: server.baseUrl, api_key: 'local' };
    layProfile(root, 'dev', { model: { ...endpoint, context_length: 128_000 } });
    own = opened('default');
    dev = opened('dev');
    const profileId = insertProfile(own.ctx.db, { home: realpathSync(root.home), at: Date.now() });
    insertProfile(own.ctx.db, { home: dev.ctx.profile.rootPath, at: Date.now() });
    refreshMarkers(own.ctx);

    const [chat] = await Promise.all([openChat(), hermes(0, ask('reeds'))]);
    await chatAbout(chat, 'oaks');
    await live({ ctx: own.ctx, db: own.ctx.db, profileId, target: join(root.home, 'SOUL.md') });

    // What was there before goes on.
    const resumed = sessionOf('a resumed session');
    await Promise.all([hermes(0, [...ask('reeds'), '--resume', resumed]), hermes(0, ask('quinces'))]);
    const two = pLimit(2);
    const after = [
      ...[() => hermes(0, ['-z', 'Tell me about zinnias.', '-t', 'todo']), () => hermes(1, ask('wasps'))],
      ...[() => hermes(0, ask('daisies', '-p', 'dev')), () => hermes(0, [...ask('thyme'), '--source', 'tool'])],
      () => hermes(0, ask('tulips'), { KARPATHY_TRIAL: '1' }),
      async () => {
        const jobs = [
          'cron',
          'create',
          'every 60m',
          'Tell me about crocus.',
          '--name',
          'flowers',
          '--deliver',
          'local',
        ];
        await hermes(0, jobs);
        await hermes(0, ['cron', 'run', 'flowers']);
      },
      async () => {
        await chatAbout(chat, 'oaks');
        const [before] = refreshWindows(own.ctx);
        openChats = before?.openChats.map(({ sessionId }) => sessionId) ?? [];
        await chat.mark();
        await chat.line('/new');
        await chat.waitFor('Approve Once');
        await chat.keys('Enter');
        await chat.waitFor('New session started!');
        await chatAbout(chat, 'newts');
      },
      async () => {
        const fresh = await openChat();
        await chatAbout(fresh, 'ivy');
        await chatAbout(fresh, 'ivy');
        await chatAbout(fresh, 'moths');
        await vi.waitFor(() => expect(sessionOf('a subagent')).toBeTruthy(), { timeout: 60_000, interval: 500 });
      },
    ];
    await Promise.all(after.map((act) => two(act)));
    await vi.waitFor(
      () => {
        [window] = refreshWindows(own.ctx);
        expect(tagOf("Hermes' background review of a conversation")?.backgroundTurns).toBeGreaterThan(0);
        expect(tagOf('a subagent')).not.toBeNull();
      },
      { timeout: 60_000, interval: 500 },
    );
    // A failed turn is known as one once nothing was written for an hour.
    ahead = 2 * HOUR;
    figures = collectMetrics(own.ctx).snapshots.find(({ windowKind }) => windowKind === 'live');
  }, 600_000);
  afterAll(async () => {
    for (const chat of chats) await chat.close();
    own.close();
    dev.close();
    await server.close();
    cleanup(root);
  });

  /** In the words of the documentation. */
  function standing(kind: Kind): string {
    if (kind === 'a session of a named profile') {
      expect(() => sessionOf(kind)).toThrow();
      return tagOf(kind, dev)?.completedTurns === 1 ? 'counts, for its own profile only' : 'unknown';
    }
    const tag = tagOf(kind);
    if (tag === null) return 'unknown';
    if (kind === "Hermes' background review of a conversation") {
      return tag.startedTurns >= 3 && tag.backgroundTurns > 0
        ? 'no turn of the conversation; `backgroundTurns`'
        : 'unknown';
    }
    if (tag.excludedReason !== null) return `apart, as \`${tag.excludedReason}\``;
    if (tag.startedAt < (own.ctx.db.prepare('SELECT applied_at FROM experiments').pluck().get() as number)) {
      return openChats.includes(tag.sessionId) ? 'not: it has the old text, and is named' : 'not';
    }
    if (tag.completedTurns === 0) return 'not: no turn was completed; `turnsFailed`';
    return tag.experimentId === null ? 'unknown' : 'counts';
  }

  it.each(Object.keys(SUBJECTS) as Kind[])('%s', (kind) => {
    expect(standing(kind)).toBe(documented().get(kind));
  });

  it('is documented, kind by kind', () => {
    expect([...documented().keys()].sort()).toEqual(Object.keys(SUBJECTS).sort());
  });

  it('fills the live window with those that count, and no others', () => {
    expect(window?.counts).toEqual({
      counted: 4,
      withoutCompletedTurn: 1,
      withOldText: 0,
      withUnknownText: 0,
      excluded: { cron: 1, subagent: 1, tool: 1, trial: 1 },
    });
    expect(window?.fault).toBeNull();
  });

  it('finds the failed turn in state.db, where no hook tells of it', () => {
    const unanswered = own.ctx.db.prepare('SELECT turns_unanswered FROM session_usage WHERE session_id = ?').pluck();
    const of = (kind: Kind) => unanswered.get(sessionOf(kind));
    expect(of('a session whose provider fails')).toBe(1);
    for (const kind of ['`hermes chat -q`', '`hermes -z`', '`/new` in a chat that was open at the apply'] as const) {
      expect(of(kind), kind).toBe(0);
    }
  });

  it('makes the figures of the window', () => {
    expect(figures).toMatchObject({
      sessionsStarted: 5,
      sessionsCompleted: 4,
      sessionsMeasured: 5,
      // `-z` writes no log.
      sessionsLogged: 4,
      surfaces: { cli: 5 },
      excluded: { cron: 1, subagent: 1, tool: 1, trial: 1 },
    });
  });
});
