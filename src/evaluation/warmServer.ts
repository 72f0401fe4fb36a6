import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import * as z from 'zod';
import type { HermesCommand } from '../ports.js';
import { killGroup, stepBack, tailOf, textOf, withinLimits, type LaidSlot, type RunLimits } from './hermesProcess.js';
import type { ProcessEnd } from './trialOutcome.js';

/** What host/karpathy_warm/server.py says. */
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready'), pid: z.int(), rss: z.int(), fds: z.int() }),
  z.object({ event: z.literal('failed'), reason: z.string() }),
  z.object({ event: z.literal('started'), id: z.string(), pid: z.int() }),
  z.object({
    event: z.literal('ended'),
    id: z.string(),
    code: z.int().nullable(),
    left: z.int(),
    rss: z.int(),
    fds: z.int(),
  }),
]);
type ServerEvent = z.infer<typeof eventSchema>;
type Ended = Extract<ServerEvent, { event: 'ended' }>;

export interface WarmServerOptions {
  readonly hermes: HermesCommand;
  readonly pluginDir: string;
  readonly profileName: string;
  /** Niceness of the process and of all that are forked from it, 0 to 19. */
  readonly nice?: number;
}

/** A process with the host loaded, bound to the slot it was started in. */
export interface WarmServer {
  readonly pid: number;
  /** False once the process ended, or holds so much more than at first that it should be replaced. */
  usable(): boolean;
  /** `guard` prints what host/slot_facts.py says. The last line of its output, and of a trial's errors, is kept. */
  run(call: 'main' | 'guard', laid: LaidSlot, work: { args: readonly string[]; limits: RunLimits }): Promise<Output>;
  close(): Promise<void>;
}

export interface Output {
  readonly end: ProcessEnd;
  readonly stdout: string;
  /** The process itself ended, not only the trial. */
  readonly serverLost: boolean;
}

const READY_MS = 60_000;
const CLOSE_MS = 3000;
/** A child that was killed is reported at once; longer than this, the process is beyond help. */
const SILENT_MS = 10_000;
const GROWTH = { factor: 1.5, bytes: 64 * 1024 * 1024, descriptors: 16 };

/**
 * Starts a Hermes that trials are forked from.
 * @throws Error that says why the host can't be loaded; an AbortError when `signal` fires
 */
export async function startWarmServer(
  { hermes, pluginDir, profileName, nice }: WarmServerOptions,
  laid: LaidSlot,
  signal: AbortSignal,
): Promise<WarmServer> {
  const script = join(pluginDir, 'host', 'warm_server.py');
  const program = hermes.command.at(-1) ?? 'hermes';
  const yolo = laid.yolo ? ['--yolo'] : [];
  const child = execa(hermes.python, ['-P', script, ...yolo, program, '-p', profileName, 'chat'], {
    env: laid.env,
    extendEnv: false,
    cwd: laid.paths.work,
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
    buffer: false,
    detached: true,
    reject: false,
  });
  stepBack(child.pid, nice);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = tailOf(errors + text)));
  // A process that died takes its pipe along; its end is noticed as such.
  child.stdin.on('error', () => {});
  const events = new Map<string, (event: ServerEvent | null) => void>();
  let lost = false;
  const gone = child.then(() => {
    lost = true;
    for (const settle of [...events.values()]) settle(null);
  });
  const next = (key: string): Promise<ServerEvent | null> =>
    new Promise((settle) => {
      if (lost) return settle(null);
      events.set(key, (event) => {
        events.delete(key);
        settle(event);
      });
    });
  const pids = new Map<string, number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = readEvent(line);
    if (event === null) return;
    if (event.event === 'started') pids.set(event.id, event.pid);
    else events.get(event.event === 'ended' ? event.id : 'ready')?.(event);
  });
  const kill = (): void => killGroup(child.pid, 'SIGKILL');

  const ready = await firstEvent(next('ready'), { signal, kill });
  if (ready === null || ready.event !== 'ready') {
    kill();
    await gone;
    signal.throwIfAborted();
    throw new Error(ready?.event === 'failed' ? ready.reason : lastLine(errors) || 'it ended or did not answer');
  }
  const most = Math.max(ready.rss * GROWTH.factor, ready.rss + GROWTH.bytes);
  let { rss, fds } = ready;

  const send = (request: object): void => void child.stdin.write(`${JSON.stringify(request)}\n`);
  return {
    pid: ready.pid,
    usable: () => !lost && rss <= most && fds <= ready.fds + GROWTH.descriptors,
    async run(call, { paths }, { args, limits }) {
      const id = randomUUID();
      const files = { stdout: join(paths.root, 'stdout'), stderr: join(paths.root, 'stderr') };
      if (!existsSync(paths.root)) mkdirSync(paths.root, { recursive: true, mode: 0o700 });
      let silence: NodeJS.Timeout | undefined;
      const ended = next(id);
      send({ op: 'run', id, call, args, cwd: paths.work, ...files });
      const { result, timedOut } = await withinLimits(
        limits,
        (name) => {
          send({ op: 'signal', id, signal: name === 'SIGTERM' ? 15 : 9 });
          if (name === 'SIGKILL') silence ??= setTimeout(() => (killGroup(pids.get(id), 'SIGKILL'), kill()), SILENT_MS);
        },
        ended,
      );
      clearTimeout(silence);
      if (result === null) killGroup(pids.get(id), 'SIGKILL');
      pids.delete(id);
      const how = result as Ended | null;
      if (how !== null) ({ rss, fds } = how);
      const stderrTail = tailOf(textOf(files.stderr)) || (how === null ? 'the loaded Hermes ended' : '');
      return {
        end: { exitCode: how?.code ?? null, timedOut, stderrTail, agentLog: '' },
        stdout: textOf(files.stdout),
        serverLost: how === null,
      };
    },
    async close() {
      child.stdin.end();
      const timer = setTimeout(kill, CLOSE_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}

async function firstEvent(
  event: Promise<ServerEvent | null>,
  { signal, kill }: { signal: AbortSignal; kill: () => void },
): Promise<ServerEvent | null> {
  const timer = setTimeout(kill, READY_MS);
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    return await event;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

function readEvent(line: string): ServerEvent | null {
  try {
    return eventSchema.parse(JSON.parse(line));
  } catch {
    return null;
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
