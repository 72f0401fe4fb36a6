/**
 * What the plugin costs the host: a hook, `register()`, a command, and what keeps running. Each figure stands beside a
 * baseline taken in the same run. `npm run bench -- [--calls N] [--rounds N] [--write]`.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { projectDir } from '../../scripts/bootstrap.mjs';
import { pathsUnder } from '../../src/hermes/paths.js';
import {
  cleanup,
  createHermesRoot,
  editConfig,
  hermesOk,
  installPlugin,
  type HermesRoot,
} from '../../test/support/hermesHost.js';
import { createHermesInstall, removeInstall } from '../../test/support/hermesInstall.js';
import { writeSection } from '../section.js';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    writers: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '15' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

interface Summary {
  readonly median: number;
  readonly p99: number;
}
type HookFigures = Readonly<Record<'baseline' | 'pre_llm_call' | 'post_llm_call' | 'stat' | 'not set up', Summary>>;

interface TurnFigures {
  readonly register_ms: number;
  readonly commands_ms: number;
  readonly turn_ms: number;
  readonly events: number;
  readonly node_processes: number;
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

/** A script of this folder, in the Python that runs Hermes. */
async function python<Figures>(root: HermesRoot, script: string, args: readonly string[]): Promise<Figures> {
  const { stdout } = await execa(root.install.python, [join(projectDir, 'bench', 'host', script), ...args], {
    env: root.env,
    extendEnv: false,
    cwd: root.cwd,
  });
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n') + 1)) as Figures;
}

/** A plugin that does nothing: what the host itself takes to start and reach a plugin's command. */
function addEmptyPlugin(root: HermesRoot): void {
  const dir = join(root.home, 'plugins', 'nothing');
  mkdirSync(dir, { recursive: true });
  writeFileSync(
    join(dir, 'plugin.yaml'),
    'name: nothing\nversion: "1"\ndescription: Does nothing.\nkind: standalone\n',
  );
  const register =
    'ctx.register_cli_command("nothing", help="", setup_fn=lambda parser: None, handler_fn=lambda args: None)';
  writeFileSync(join(dir, '__init__.py'), `def register(ctx):\n    ${register}\n`);
  editConfig(root.home, (config) => {
    (config.plugins as { enabled: string[] }).enabled.push('nothing');
  });
}

async function wall(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Medians in ms of the host alone, of `karpathy status`, and of a bare Node that opens the same database. */
async function commandFigures(root: HermesRoot): Promise<{ host: number; status: number; node: number }> {
  const bare = `new (require('better-sqlite3'))(process.argv[1]).pragma('user_version')`;
  const commands = {
    host: () => hermesOk(root, ['nothing']),
    status: () => hermesOk(root, ['karpathy', 'status']),
    node: () => execa(process.execPath, ['-e', bare, root.dbPath], { cwd: projectDir }),
  };
  for (const run of Object.values(commands)) await run();
  const times = { host: [] as number[], status: [] as number[], node: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    for (const name of ['host', 'status', 'node'] as const) times[name].push(await wall(commands[name]));
  }
  return { host: median(times.host), status: median(times.status), node: median(times.node) };
}

/** A profile that is set up, on a model that is never asked. */
async function setUp(root: HermesRoot): Promise<void> {
  const model = ['--proposer', 'http://127.0.0.1:9/v1#none', '--judge', 'none', '--budget-tokens', '1000000'];
  await hermesOk(root, ['karpathy', 'init', ...model, '--accept-disclosure', '--yes']);
}

async function main(): Promise<void> {
  const install = await createHermesInstall();
  const root = createHermesRoot({
    install,
    soul: 'You are Bee, a careful helper.\n',
    model: { baseUrl: 'http://127.0.0.1:9/v1', model: 'none' },
    dir: mkdtempSync(join(tmpdir(), 'karpathy-bench-')),
  });
  try {
    await installPlugin(root);
    addEmptyPlugin(root);
    await setUp(root);
    const other = join(root.home, 'profiles', 'other');
    mkdirSync(other, { recursive: true });
    const plugin = join(root.home, 'plugins', 'karpathy-self-improve');
    const hooks = await python<Record<'alone' | 'writers', HookFigures>>(root, 'hooks.py', [
      ...[plugin, root.home, other, values.calls, values.writers],
    ]);
    const commands = await commandFigures(root);
    const turns = await python<TurnFigures>(root, 'turns.py', ['100']);
    if (turns.events < 200)
      throw new Error(`100 turns left ${turns.events} lines in ${pathsUnder(root.home).spoolDir}`);
    report({ hooks, commands, turns, version: install.version });
  } finally {
    cleanup(root);
    removeInstall(install);
  }
}

interface Measured {
  readonly hooks: Record<'alone' | 'writers', HookFigures>;
  readonly commands: { host: number; status: number; node: number };
  readonly turns: TurnFigures;
  readonly version: string;
}

function report({ hooks, commands, turns, version }: Measured): void {
  const us = (ns: number): string => `${(ns / 1000).toFixed(1)} µs`;
  const ratio = (a: number, b: number): string => `${(a / b).toFixed(2)}×`;
  const { alone, writers } = hooks;
  const hook = (name: 'pre_llm_call' | 'post_llm_call') =>
    `| ${name} | ${us(alone[name].median)} | ${us(alone.baseline.median)}: writing the same line | ${ratio(alone[name].median, alone.baseline.median)} | ≤ 3× |`;
  const allowed = commands.host + 1.5 * commands.node;
  const text = [
    `\`npm run bench\`: medians of ${values.calls} hook calls and of ${rounds} commands, Hermes ${version}, ${cpus().length} cores. What is compared ran in turn.`,
    '',
    '| | takes | beside | ratio | goal |',
    '|---|---|---|---|---|',
    hook('pre_llm_call'),
    hook('post_llm_call'),
    `| a hook, ${values.writers} processes at once | 99 % under ${us(writers.pre_llm_call.p99)} | 99 % under ${us(writers.baseline.p99)} | ${ratio(writers.pre_llm_call.p99, writers.baseline.p99)} | under 200 µs |`,
    `| a hook where nothing is set up | ${us(alone['not set up'].median)} | ${us(alone.stat.median)}: one stat | ${ratio(alone['not set up'].median, alone.stat.median)} | one stat |`,
    `| \`register()\` in the host | ${turns.register_ms.toFixed(2)} ms | ${turns.commands_ms.toFixed(0)} ms: the host’s own command table, loaded for the first plugin with a command | ${ratio(turns.register_ms, turns.commands_ms)} | ≤ 3 ms |`,
    `| \`hermes karpathy status\` | ${commands.status.toFixed(0)} ms | ${allowed.toFixed(0)} ms: the host ${commands.host.toFixed(0)}, and 1.5 × Node with SQLite ${commands.node.toFixed(0)} | ${ratio(commands.status, allowed)} | ≤ 1× |`,
    `| Node processes after 100 turns, nothing live | ${turns.node_processes} | – | – | 0 |`,
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench', { title: 'What the plugin costs the host', text });
}

await main();
