import { constants, setPriority } from 'node:os';
import { openContext, surroundingSecrets } from '../app.js';
import type { Actor } from '../domain/experiment.js';
import type { HermesCommand, HostServices, Logger } from '../ports.js';
import type { Surface } from '../services/context.js';
import type { Opened, OpenRequest } from '../services/opened.js';

/** For whom and where commands run; the handshake says it once for the worker. */
export interface Session {
  readonly root: string;
  readonly home: string;
  readonly profile: string;
  readonly pluginDir: string;
  readonly version: string;
  readonly hermes: HermesCommand | null;
  readonly host: HostServices | null;
  readonly agentShell: boolean;
  readonly platform: string | null;
  readonly inGateway: boolean;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const ACTORS = { cli: 'person@cli', slash: 'person@slash', work: 'system', tick: 'system' } as const satisfies Partial<
  Record<Surface['kind'], Actor>
>;

/** Loads what a command line will need, and runs nothing of it. */
export async function preloadCli(argv: readonly string[]): Promise<void> {
  const { commandsFor } = await import('../cli/commands/index.js');
  await Promise.all([commandsFor(argv), import('../cli/run.js'), import('../cli/checkedOutput.js')]);
}

/** Runs one command line in this process's terminal; returns its exit code. */
export async function runCliHere(
  session: Session,
  { argv, cwd }: { argv: readonly string[]; cwd: string },
): Promise<number> {
  const [{ runCli }, { checkedOutput, errorOutput }] = await Promise.all([
    import('../cli/run.js'),
    import('../cli/checkedOutput.js'),
  ]);
  return runCli(argv, {
    open: async (request) => open(session, request),
    stdout: checkedOutput(process.stdout),
    stderr: errorOutput(process.stderr),
    stdin: process.stdin,
    env: session.env,
    isTTY: {
      stdin: process.stdin.isTTY === true,
      stdout: process.stdout.isTTY === true,
      stderr: process.stderr.isTTY === true,
    },
    version: session.version,
    helpName: 'hermes karpathy',
    cwd,
    signal: session.signal,
  });
}

/** Answers one `/karpathy` text. Never throws: every failure is a text. */
export async function runSlashHere(session: Session, text: string): Promise<string> {
  const { runSlash } = await import('../slash/run.js');
  return runSlash(text, {
    open: async (request) => open(session, request),
    env: session.env,
    platform: session.platform,
    inGateway: session.inGateway,
    signal: session.signal,
  });
}

/** Ingests, counts and checks the live window of the session's profile. */
export async function runTickHere(session: Session): Promise<unknown> {
  const { tick } = await import('../services/tick.js');
  // Trials inherit it: nobody waits for them, and somebody may be using this machine.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  const opened = open(session, { interactive: false, signal: session.signal, surface: 'tick' });
  try {
    return await tick(opened.ctx);
  } catch (error) {
    throw opened.ctx.scrub.error(error);
  } finally {
    opened.close();
  }
}

/** What is printed of a fault that no command caught; with its stack, for it is a bug. */
export function crashText({ root, profile, home, env }: Session, error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return surroundingSecrets({ root, profileName: profile, home, env }).text(`Unexpected failure: ${text}`);
}

function open(session: Session, request: OpenRequest & { readonly surface: keyof typeof ACTORS }): Opened {
  const profile = request.profile ?? session.profile;
  return openContext({
    root: session.root,
    profileName: profile,
    // Another profile than the caller's is looked for by name: it may not exist.
    ...(profile === session.profile ? { home: session.home } : {}),
    pluginDir: session.pluginDir,
    hermes: session.hermes,
    host: session.host,
    surface: {
      kind: request.surface,
      interactive: request.interactive,
      agentShell: session.agentShell,
      platform: session.platform,
    },
    actor: ACTORS[request.surface],
    env: session.env,
    signal: request.signal,
    log: session.log,
    ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
    ...(request.withoutDatabase === true ? { withoutDatabase: true } : {}),
  });
}
