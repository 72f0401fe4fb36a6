/**
 * What a trial costs beyond the model: wall time and CPU of the warm runner, the cold runner, and a plain shell loop of
 * `hermes chat -q`, one after another in one run. `npm run bench:trials -- [--rounds N] [--latency MS] [--runners warm,cold,loop]
 * [--write]`.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { stringify } from 'yaml';
import { ensureHermes, projectDir } from '../scripts/bootstrap.mjs';
import { createColdRunner } from '../src/evaluation/coldRunner.js';
import { laySlot } from '../src/evaluation/slot.js';
import { slotTemplate } from '../src/evaluation/slotTemplate.js';
import { createWarmRunner } from '../src/evaluation/warmRunner.js';
import type { TrialRunner, TrialSpec } from '../src/ports.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    latency: { type: 'string', default: '0' },
    runners: { type: 'string', default: 'warm,cold,loop' },
    write: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const latencyMs = Number(values.latency);
const SOUL = 'You are Bee, a careful helper.\n';
const MARK = ['<!-- bench:trials -->', '<!-- /bench:trials -->'] as const;

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

interface Measured {
  readonly name: string;
  /** Everything, the start of the runner included. */
  readonly all: Cost;
  /** Median wall time of a trial once the runner is ready. */
  readonly medianMs: number | null;
}

/** CPU of this process and of every process that it, or a child of it, has waited for; Linux counts in 1/100 s. */
function cpuMs(): number {
  const stat = readFileSync(`/proc/${process.pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [wall, cpu] = [performance.now(), cpuMs()];
  await work();
  return { wallMs: performance.now() - wall, cpuMs: cpuMs() - cpu };
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

function trial(index: number): TrialSpec {
  const spec = { input: 'Say hello.', checks: [{ must_contain: 'Hello' }] };
  return {
    evalRunId: 1,
    scenario: { id: 1, name: 'hello', split: 'train', group: 'hello', spec },
    ...{ arm: 'incumbent', epoch: index + 1, attempt: 1, slot: 1, policy: 'simulated' },
    ...{
      targetContent: Buffer.from(SOUL),
      targetRelpath: 'SOUL.md',
      maxTurns: 20,
      timeoutMs: 120_000,
      tokenLimit: null,
    },
  };
}

async function runnerCost(name: string, runner: TrialRunner): Promise<Measured> {
  const times: number[] = [];
  const all = await costOf(async () => {
    for (let index = 0; index < rounds; index += 1) {
      const began = performance.now();
      const result = await runner.run(trial(index), new AbortController().signal);
      if (result.kind === 'infra') throw new Error(`${name}: ${result.reason}`);
      times.push(performance.now() - began);
    }
    await runner.close('finished');
  });
  if (runner.name !== name) throw new Error(`${name} fell back: ${runner.fellBack ?? ''}`);
  return { name, all, medianMs: median(times.slice(1)) };
}

async function main(): Promise<void> {
  const { hermes, python, version } = await ensureHermes();
  const root = mkdtempSync(join(tmpdir(), 'karpathy-bench-'));
  const server = execa(process.execPath, ['--import', 'tsx', 'bench/modelServer.ts', String(latencyMs)], {
    cwd: projectDir,
    reject: false,
  });
  try {
    const first = await new Promise<Buffer>((ready) => server.stdout.once('data', ready));
    const baseUrl = first.toString().trim();
    const home = join(root, 'profiles', 'dev');
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'SOUL.md'), SOUL);
    const model = { provider: 'custom', default: 'sim', base_url: baseUrl, api_key: 'local' };
    writeFileSync(join(home, 'config.yaml'), stringify({ model }));
    const common = {
      ...{ hermes: { command: [hermes], python }, pluginDir: projectDir, slotsDir: join(root, 'slots') },
      ...{ profileHome: home, profileName: 'dev', evalRunId: 1, prices: {}, env: process.env },
    };
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const wanted = values.runners.split(',');
    const measured: Measured[] = [];
    if (wanted.includes('warm')) measured.push(await runnerCost('warm', createWarmRunner({ ...common, log })));
    if (wanted.includes('cold')) measured.push(await runnerCost('cold', createColdRunner(common)));
    if (wanted.includes('loop')) measured.push(await loopCost({ ...common, hermes, version }));
    report(measured, version);
  } finally {
    server.kill();
    await server;
    rmSync(root, { recursive: true, force: true });
  }
}

/** What a person would write: the same question again and again in a home with warm caches. */
async function loopCost(setup: {
  hermes: string;
  version: string;
  slotsDir: string;
  pluginDir: string;
  profileHome: string;
}): Promise<Measured> {
  const facts = { version: setup.version, authType: null, keyEnv: [] };
  const source = { ...setup, profileName: 'dev', evalRunId: 1, env: process.env, facts };
  const { paths } = laySlot({ source, template: slotTemplate(source) }, 1, {
    trial: { ...trial(0), spec: trial(0).scenario.spec, realToolsets: [] },
  });
  writeFileSync(join(paths.home, 'config.yaml'), readFileSync(join(setup.profileHome, 'config.yaml')));
  const line = `"${setup.hermes}" -p dev chat -q "Say hello." -Q --max-turns 20 --source tool </dev/null >/dev/null 2>&1`;
  const env = { PATH: process.env.PATH, HOME: paths.userHome, TMPDIR: paths.temp, HERMES_HOME: paths.home };
  const all = await costOf(async () => {
    const script = `for i in $(seq ${rounds}); do ${line} || exit 1; done`;
    await execa('sh', ['-c', script], { env, extendEnv: false, cwd: paths.work });
  });
  return { name: 'shell loop', all, medianMs: null };
}

function report(measured: readonly Measured[], version: string): void {
  const loop = measured.find((one) => one.name === 'shell loop');
  const seconds = (ms: number): string => (ms / 1000).toFixed(2);
  const lines = [
    '| | wall per trial | CPU per trial | CPU, of the loop’s | a trial once ready |',
    '|---|---|---|---|---|',
    ...measured.map(({ name, all, medianMs }) => {
      const ratio = loop === undefined ? '–' : (all.cpuMs / loop.all.cpuMs).toFixed(2);
      const ready = medianMs === null ? '–' : `${seconds(medianMs)} s`;
      return `| ${name} | ${seconds(all.wallMs / rounds)} s | ${seconds(all.cpuMs / rounds)} s | ${ratio} | ${ready} |`;
    }),
  ];
  const arguments_ = `--rounds ${rounds} --latency ${latencyMs}`;
  const text = [
    `\`npm run bench:trials -- ${arguments_}\`: ${rounds} trials one after another, a model with ${latencyMs} ms of latency, Hermes ${version}, ${cpus().length} cores. The first two columns include getting ready: asking the host about itself, loading it, proving the guard.`,
    '',
    ...lines,
  ].join('\n');
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection(text);
}

/** Replaces this command's part of docs/performance.md, whatever else stands there. */
function writeSection(text: string): void {
  const path = join(projectDir, 'docs', 'performance.md');
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '# Performance\n';
  const section = `${MARK[0]}\n${text}\n${MARK[1]}`;
  const [from, to] = [before.indexOf(MARK[0]), before.indexOf(MARK[1])];
  const after =
    from < 0 || to < from
      ? `${before}\n## What a trial costs beyond the model\n\n${section}\n`
      : before.slice(0, from) + section + before.slice(to + MARK[1].length);
  writeFileSync(path, after);
}

await main();
