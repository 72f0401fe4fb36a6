import { parseArgs } from 'node:util';
import type * as z from 'zod';
import { ownBuild, type BuildIdentity } from './build.js';
import { openChannel, openWire, rpcError, type Channel } from './channel.js';
import type { Session } from './commands.js';
import { hostServicesOver, loggerOver } from './hostServices.js';
import {
  cliParams,
  initializeParams,
  NOT_INITIALIZED,
  preloadParams,
  PROTOCOL,
  slashParams,
  STALE_BUILD,
  type InitializeParams,
} from './protocol.js';

/** How long a command that was told to stop may take to leave things in order. */
const GRACE_MS = 5_000;
const INVALID_PARAMS = -32602;

/** Entry of the worker: answers the Hermes process that started it, and ends with the channel. */
function main(): void {
  const { values } = parseArgs({ options: { channel: { type: 'string', default: 'stdio' } } });
  const build = ownBuild();
  const channel = openChannel(openWire(values.channel));
  const stop = new AbortController();
  const running = new Set<Promise<unknown>>();
  let session: Session | null = null;
  /** A method that needs the handshake first and whose end a stopping worker waits for. */
  const onCommand = (method: string, run: (session: Session, params: unknown) => Promise<unknown>) =>
    channel.on(method, (params) => {
      if (session === null) throw rpcError(NOT_INITIALIZED, 'initialize first');
      const work = run(session, params).finally(() => running.delete(work));
      running.add(work);
      return work;
    });

  channel.on('initialize', async (raw) => {
    const params = read(initializeParams, raw);
    refuseOtherBuild(params, build);
    if (params.selfcheck) await loadNativeModule();
    session = sessionFrom(params, { channel, build, signal: stop.signal });
    return { protocol: PROTOCOL, plugin_version: build.version, build: build.build, pid: process.pid };
  });
  // Sent while Hermes still starts: the command itself comes later, or never.
  channel.on('preload', async (raw) => {
    const { argv } = read(preloadParams, raw);
    const { preloadCli } = await import('./commands.js');
    await Promise.all([preloadCli(argv), loadNativeModule()]);
  });
  onCommand('cli', async (session, raw) => {
    const call = read(cliParams, raw);
    const { runCliHere } = await import('./commands.js');
    return { exit_code: await runCliHere(session, call) };
  });
  onCommand('slash', async (session, raw) => {
    const { text } = read(slashParams, raw);
    const { runSlashHere } = await import('./commands.js');
    return { text: await runSlashHere(session, text) };
  });
  onCommand('tick', async (session) => {
    const { runTickHere } = await import('./commands.js');
    return { summary: await runTickHere(session) };
  });

  endInOrder(channel, { stop, running });
  process.on('uncaughtException', (error) => void crash(session, error));
}

/** A fault that no command caught ends the worker, and what it says holds no key. */
async function crash(session: Session | null, error: unknown): Promise<void> {
  try {
    if (session === null) throw error;
    const { crashText } = await import('./commands.js');
    process.stderr.write(`${crashText(session, error)}\n`);
  } catch {
    process.stderr.write(`Unexpected failure: ${error instanceof Error ? error.name : 'unknown'}\n`);
  }
  process.exit(1);
}

function refuseOtherBuild(params: InitializeParams, own: BuildIdentity): void {
  const same = params.protocol === PROTOCOL && params.plugin_version === own.version && params.build === own.build;
  if (same) return;
  throw rpcError(
    STALE_BUILD,
    `The plugin is ${params.plugin_version} (${params.build}), its runtime was built from ${own.version} (${own.build}).`,
    { code: 'stale_build' },
  );
}

async function loadNativeModule(): Promise<void> {
  const { default: Database } = await import('better-sqlite3');
  new Database(':memory:').close();
}

function sessionFrom(
  params: InitializeParams,
  here: { channel: Channel; build: BuildIdentity; signal: AbortSignal },
): Session {
  return {
    root: params.root,
    home: params.home,
    profile: params.profile,
    pluginDir: params.plugin_dir,
    version: here.build.version,
    hermes: params.hermes.length === 0 ? null : { command: params.hermes, python: params.python },
    host: hostServicesOver(here.channel),
    agentShell: params.env_agent_shell,
    // A Hermes that serves several platforms does not say which one a command came from.
    platform: params.platform ?? (params.in_gateway ? 'gateway' : null),
    inGateway: params.in_gateway,
    env: process.env,
    log: loggerOver(here.channel),
    signal: here.signal,
  };
}

function read<T>(schema: z.ZodType<T>, raw: unknown): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw rpcError(INVALID_PARAMS, `${first?.path.join('.') ?? ''}: ${first?.message ?? 'not valid'}`);
}

/**
 * A first signal stops the running command in good order, a second one ends at once. A closed channel means that
 * the Hermes process is gone or has its answer: stop the same way, within the grace.
 */
function endInOrder(
  channel: Channel,
  { stop, running }: { stop: AbortController; running: ReadonlySet<Promise<unknown>> },
): void {
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(130);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The terminal was closed: what is at work is left in order, and nobody reads what is written there.
  process.on('SIGHUP', onSignal);
  process.stderr.on('error', () => undefined);
  // The reader of our output went away, as in `hermes karpathy history | head`. Other faults are the command's to tell.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
  });
  void channel.closed.then(() => {
    stop.abort();
    void Promise.allSettled(running).then(() => process.exit(0));
    setTimeout(() => process.exit(1), GRACE_MS);
  });
}

main();
