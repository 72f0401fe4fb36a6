import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { stringify } from 'yaml';
import { createHermesRoot, hermesOk, installPlugin, cleanup, type HermesRoot } from '#test/support/hermesHost.js';
import { identityOf, say, startModelServer, systemPromptOf, textOf } from '#test/support/modelServer/index.js';
import type { ModelServer, Responder } from '#test/support/modelServer/index.js';
import { openTerminal, type Terminal } from '#test/support/tmux.js';
import { processesIn, type Running } from './processes.js';

export const SOUL = '# Fern\n\nYou are Fern, who helps in a garden shop. You answer in a friendly way.\n';
export const SENTENCE = 'End with a one-line summary.';
/** SOUL.md with the sentence where the proposer puts it: after the last one, in its paragraph. */
export const SOUL_AFTER = SOUL.replace('way.\n', `way. ${SENTENCE}\n`);

const SLOTS = 2;
const AGENT = 'shop-agent';
export const PROPOSER = 'shop-proposer';

/** Does what SOUL.md asks for, always: the sentence helps in every scenario. */
const agent: Responder = (request) => {
  const question = textOf(request.messages.findLast((message) => message.role === 'user'));
  const subject = /about (\w+)/i.exec(question)?.[1] ?? 'that';
  const summary = identityOf(systemPromptOf(request)).includes(SENTENCE) ? '\nIn short: fine.' : '';
  return say(`As for ${subject}, all is well.${summary}`);
};

const proposer: Responder = () =>
  say(JSON.stringify({ operation: 'insert', sentence: 3, text: SENTENCE, rationale: 'No answer has a summary.' }));

/** With alpha 0.2 a first consultation may spend 0.0095: seven groups that are all better give p = 1/128. */
const SUBJECTS = ['apples', 'roses', 'herbs', 'hedges', 'slugs', 'lawns', 'ferns', 'peat'];
const SUITE = SUBJECTS.map((subject, index) => ({
  name: subject,
  split: index === 0 ? 'train' : 'holdout',
  input: `Tell me about ${subject}.`,
  checks: [{ regex: '(?m)^In short: ' }],
}));

/** A Hermes root with the plugin, whose model a sentence helps for certain; and terminals in it. */
export interface Shop {
  readonly root: HermesRoot;
  readonly server: ModelServer;
  readonly suitePath: string;
  /** The bytes of SOUL.md, as text. */
  soul(): string;
  /** One row of the plugin's database, read beside its owner. */
  row<Row>(sql: string): Row | undefined;
  /** Requests of chat and trials; not titles, which the host asks for whenever it likes. */
  turns(): number;
  /**
   * Lets the agent answer so many more requests; those after them wait for ever, which the promise tells of once there
   * are as many as there are slots. `release` has the agent answer again.
   */
  holdAfter(turns: number): { readonly held: Promise<void>; readonly release: () => void };
  /** Processes of the root that were not there when this was called. */
  newProcesses(): () => readonly Running[];
  /** What users said to the agent in all requests. */
  said(): readonly string[];
  /** Runs a program in a terminal, where `hermes` is on the PATH and colours are allowed. */
  terminal(command: readonly string[]): Promise<Terminal>;
  close(): Promise<void>;
}

export async function openShop(options: { setUp: boolean }): Promise<Shop> {
  const server = await startModelServer({ models: { [AGENT]: agent, [PROPOSER]: proposer } });
  const root = createHermesRoot({
    model: { baseUrl: server.baseUrl, model: AGENT },
    soul: SOUL,
    config: {
      platform_toolsets: { cli: ['todo'] },
      plugins: {
        karpathy_self_improve: { gate: { alpha: 0.2, epochs: 1, min_power: 0 }, runner: { concurrency: SLOTS } },
      },
    },
  });
  await installPlugin(root);
  const suitePath = join(root.cwd, 'suite.yaml');
  mkdirSync(dirname(suitePath), { recursive: true });
  writeFileSync(suitePath, stringify({ scenarios: SUITE }));
  if (options.setUp) {
    const model = ['--proposer', `${server.baseUrl}#${PROPOSER}`, '--judge', 'none', '--budget-tokens', '5000000'];
    await hermesOk(root, ['karpathy', 'init', ...model, '--accept-disclosure', '--yes']);
    await hermesOk(root, ['karpathy', 'scenario', 'import', suitePath]);
  }
  const terminals: Terminal[] = [];
  return {
    root,
    server,
    suitePath,
    soul: () => readFileSync(join(root.home, 'SOUL.md'), 'utf8'),
    row: <Row>(sql: string) => {
      const db = new Database(root.dbPath, { readonly: true });
      try {
        return db.prepare<[], Row>(sql).get();
      } finally {
        db.close();
      }
    },
    turns: () => server.chats().filter((chat) => chat.model === AGENT && (chat.tools?.length ?? 0) > 0).length,
    holdAfter: (turns) => {
      let [answered, waiting] = [0, 0];
      let tell = (): void => undefined;
      const held = new Promise<void>((done) => (tell = done));
      server.setModel(AGENT, (request) => {
        // Titles are asked for without tools.
        if ((request.tools?.length ?? 0) === 0) return say('A title');
        if (answered < turns) {
          answered += 1;
          return agent(request);
        }
        waiting += 1;
        if (waiting === SLOTS) tell();
        return { kind: 'hang' };
      });
      return { held, release: () => server.setModel(AGENT, agent) };
    },
    newProcesses: () => {
      const before = new Set(processesIn(root.dir).map(({ pid }) => pid));
      return () => processesIn(root.dir).filter(({ pid }) => !before.has(pid));
    },
    said: () =>
      server
        .chats()
        .flatMap(({ messages }) => messages.filter(({ role }) => role === 'user').map((said) => textOf(said))),
    terminal: async (command) => {
      // A person at a terminal: nothing that makes programs write for a log.
      const env = {
        ...root.env,
        NO_COLOR: undefined,
        CI: undefined,
        PATH: `${dirname(root.install.hermes)}:${root.env.PATH ?? ''}`,
      };
      const terminal = await openTerminal({ command, env, cwd: root.cwd, columns: 100 });
      terminals.push(terminal);
      return terminal;
    },
    close: async () => {
      for (const terminal of terminals) await terminal.close();
      await server.close();
      cleanup(root);
    },
  };
}
