import type { Opened, OpenRequest } from '../services/opened.js';
import type { Asker } from './ask.js';

/** What of a stream the commands use. */
export interface Output {
  write(text: string): unknown;
  readonly columns?: number | undefined;
  /** Waits until what was written has arrived. @throws KarpathyError `io` when it did not */
  flush?(): Promise<void>;
}

export interface CliOpenRequest extends OpenRequest {
  readonly surface: 'cli' | 'work' | 'tick';
}

/** Everything `runCli` touches besides the services: streams, environment and the door to the controller DB. */
export interface CliIo {
  /** @throws KarpathyError not_set_up, unknown_profile, bad_config, db_newer, db_corrupt, db_busy, io */
  open(request: CliOpenRequest): Promise<Opened>;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: NodeJS.ReadableStream;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly version: string;
  /** How the person calls it, for help texts and hints. */
  readonly helpName: 'hermes karpathy' | 'karpathy';
  /** Directory that relative file arguments are resolved against. */
  readonly cwd?: string;
  /** Cancels the command; without it SIGINT and SIGTERM do. */
  readonly signal?: AbortSignal;
  /** Replaces the terminal's questions, in tests. */
  readonly ask?: Asker;
}
