import type { ProgressListener } from '../ports.js';
import type { Context } from './context.js';

/** What a surface asks for when it starts a command. */
export interface OpenRequest {
  /** A profile by name; without it the one the process was started for. */
  readonly profile?: string;
  /** A person can answer a question at the other end. */
  readonly interactive: boolean;
  readonly onProgress?: ProgressListener;
  readonly signal: AbortSignal;
  /** The command works on the controller DB itself, which may be damaged: the context gets an empty one. */
  readonly withoutDatabase?: boolean;
}

/** A context and the duty to close it. */
export interface Opened {
  readonly ctx: Context;
  close(): void;
}
