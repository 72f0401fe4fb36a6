/**
 * Collecting agent.log against only reading and decoding the same lines, in one run, and what a whole `collect` keeps
 * in memory. `npm run build && npm run bench:collector -- [--megabytes N] [--rotations N] [--write]`.
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { readAgentLog } from '../src/metrics/logFiles.js';
import { peakOf } from './peak.js';
import { addBenchProfile } from './profile.js';
import { writeSection } from './section.js';

export interface CollectorFigures {
  readonly megabytes: number;
  readonly files: number;
  /** Megabytes per second, the best of three. */
  readonly collected: number;
  readonly decoded: number;
  /** Collecting over decoding; the goal is 0.5 or more. */
  readonly ratio: number;
  /** Sessions that were told apart. */
  readonly sessions: number;
  /** Peak memory of `collect` over all of it, in megabytes; null without a build. The goal is 120 or less. */
  readonly peakMegabytes: number | null;
}

const MEGABYTE = 1_000_000;
const CHUNK = 1 << 18;

/** The host's own formats, about as often as it writes them. */
function block(session: string): string {
  const at = '2026-08-14 21:15:04,977';
  const info = (message: string) => `${at} INFO [${session}] ${message}\n`;
  const call = 'model=anthropic/claude provider=openrouter in=14233 out=212 total=14445 latency=3.9s cache=12800/14233';
  return [
    `${at} INFO hermes_cli.plugins: Plugin discovery complete: 41 found, 12 enabled\n`,
    `${at} WARNING tools.registry: check_fn for toolset browser returned False\n`,
    info(
      `agent.turn_context: conversation turn: session=${session} model=m provider=p platform=cli history=0 msg='Hi'`,
    ),
    ...Array.from({ length: 8 }, (_, n) => info(`agent.conversation_loop: API call #${n + 1}: ${call} (90%)`)),
    ...Array.from({ length: 8 }, () => info('agent.tool_executor: tool read_file completed (0.04s, 5321 chars)')),
    `${at} WARNING [${session}] agent.conversation_loop: API call failed (attempt 1/3) error_type=RateLimitError thread=MainThread:1 provider=openrouter summary=HTTP 429: Rate limit exceeded\n`,
    `${at} WARNING [${session}] agent.conversation_loop: Retrying API call in 2.4s (attempt 1/3) thread=MainThread:1 policy=default error=Error code: 429\n`,
    `${at} ERROR [${session}] agent.conversation_loop: Outer loop error in API call #2\nTraceback (most recent call last):\n  File "/x/agent/conversation_loop.py", line 5740, in run\nValueError: ä\n`,
    info(
      `agent.turn_finalizer: Turn ended: reason=text_response(finish_reason=stop) model=m api_calls=3/90 session=${session}`,
    ),
  ].join('');
}

/** Writes `<home>/logs/agent.log` and its rotations, with a thousand sessions in each; returns bytes written. */
function writeLogs(home: string, size: { megabytes: number; rotations: number }): number {
  const logs = join(home, 'logs');
  mkdirSync(logs, { recursive: true });
  const perFile = (size.megabytes * MEGABYTE) / (size.rotations + 1);
  let written = 0;
  for (let file = size.rotations; file >= 0; file--) {
    const blocks = Array.from({ length: 1000 }, (_, n) =>
      block(`20260814_${100_000 + file}_${(n + 4096).toString(16)}`),
    );
    const bytes = Buffer.from(blocks.join(''));
    const fd = openSync(join(logs, file === 0 ? 'agent.log' : `agent.log.${file}`), 'w');
    for (let left = perFile; left > 0; left -= bytes.length) written += writeSync(fd, bytes);
    closeSync(fd);
  }
  return written;
}

/** The least that any reader does: every line of every file as text. */
function decodeLines(home: string, rotations: number): number {
  let lines = 0;
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let file = rotations; file >= 0; file--) {
    const fd = openSync(join(home, 'logs', file === 0 ? 'agent.log' : `agent.log.${file}`), 'r');
    let rest = '';
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
      const parts = (rest + chunk.toString('utf8', 0, read)).split('\n');
      rest = parts.pop() ?? '';
      lines += parts.length;
    }
    closeSync(fd);
  }
  return lines;
}

function best(rounds: number, work: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const began = performance.now();
    work();
    return performance.now() - began;
  });
  return Math.min(...times) / 1000;
}

export async function measureCollector(size: { megabytes: number; rotations: number }): Promise<CollectorFigures> {
  const root = mkdtempSync(join(tmpdir(), 'karpathy-bench-'));
  try {
    addBenchProfile(root);
    const megabytes = writeLogs(root, size) / MEGABYTE;
    decodeLines(root, 0);
    const decoded = best(3, () => decodeLines(root, size.rotations));
    let sessions = 0;
    const collected = best(3, () => {
      sessions = readAgentLog(root, []).counts.size;
    });
    return {
      megabytes: Math.round(megabytes),
      files: size.rotations + 1,
      collected: megabytes / collected,
      decoded: megabytes / decoded,
      ratio: decoded / collected,
      sessions,
      peakMegabytes: (await peakOf(root, ['collect', '--json']))?.megabytes ?? null,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** The figures as docs/performance.md shows them. */
export function collectorText(figures: CollectorFigures, command: string): string {
  const { megabytes, files, collected, decoded, ratio, sessions, peakMegabytes } = figures;
  const peak = peakMegabytes === null ? 'not measured: no build' : `${Math.round(peakMegabytes)} MB`;
  return `\`${command}\`: ${megabytes} MB of agent.log in ${files} files, ${sessions} sessions, ${cpus().length} cores.

| | |
|---|---|
| reading and decoding every line | ${Math.round(decoded)} MB/s |
| collecting | ${Math.round(collected)} MB/s |
| collecting, of reading and decoding (goal 0.5 or more) | ${ratio.toFixed(2)} |
| peak memory of \`collect\` over all of it (goal 120 MB or less) | ${peak} |`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string', default: '1000' },
      rotations: { type: 'string', default: '20' },
      write: { type: 'boolean', default: false },
    },
  });
  const size = { megabytes: Number(values.megabytes), rotations: Number(values.rotations) };
  const command = `npm run bench:collector -- --megabytes ${size.megabytes} --rotations ${size.rotations}`;
  const text = collectorText(await measureCollector(size), command);
  process.stdout.write(`${text}\n`);
  if (values.write) writeSection('bench:collector', { title: 'What collecting costs', text });
}
