import type { Arm } from './domain/experiment.js';
import type { Check, CheckKind, ModelIdentity, ScenarioSnapshot, ToolPolicy } from './schemas.js';

/** What the services need from the outside. Only these are replaced in tests: model, clock, ids, host. */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface Ids {
  /** A new unique id. */
  next(): string;
}

export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

// ── Language models ───────────────────────────────────────────────────────

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface CompletionRequest {
  readonly messages: readonly ChatMessage[];
  readonly temperature?: number;
  readonly maxTokens?: number;
  readonly timeoutMs?: number;
  /** For the host's log: `karpathy.propose`, `karpathy.judge`. */
  readonly purpose: string;
  readonly signal?: AbortSignal;
}

export interface TokenUsage {
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  readonly totalTokens: number | null;
}

export interface Completion {
  readonly text: string;
  readonly identity: ModelIdentity;
  readonly usage: TokenUsage;
  /** USD as the provider stated it; null when it did not. */
  readonly costUsd: number | null;
}

/** A model that answers. Failures are KarpathyError `model_failed` or `model_limit` (a usage limit: stop the run). */
export interface LanguageModel {
  /** The identity as configured, before any call; a completion's identity is the one that counts. */
  readonly configured: ModelIdentity;
  complete(request: CompletionRequest): Promise<Completion>;
  /**
   * Whether it is there and takes the key, without spending a token; absent where only a call could tell.
   * @throws KarpathyError `model_failed`, `bad_config`, `interrupted`
   */
  reach?(signal?: AbortSignal): Promise<void>;
}

/** What a worker may ask of the Hermes process that started it; absent when the bin runs without Hermes. */
export interface HostServices {
  completeWithHostModel(
    request: CompletionRequest & { readonly provider?: string; readonly model?: string },
  ): Promise<Completion>;
}

// ── The host as an executable ─────────────────────────────────────────────

export interface HermesCommand {
  /** Arguments come after these, for example `[python, '-m', 'hermes_cli.main']`. */
  readonly command: readonly string[];
  /** The interpreter that can import Hermes. */
  readonly python: string;
}

/** What the host would do with a text as the profile's SOUL.md. */
export interface PromptCheck {
  readonly blocked: boolean;
  readonly truncated: boolean;
  readonly limitChars: number;
  /** Human-readable reasons. */
  readonly findings: readonly string[];
}

// ── Trials ────────────────────────────────────────────────────────────────

/** One run of one scenario under one arm. Everything that is not in here must not influence the trial. */
export interface TrialSpec {
  readonly evalRunId: number;
  readonly scenario: ScenarioSnapshot;
  readonly arm: Arm;
  readonly epoch: number;
  readonly attempt: number;
  /** The whole text of the target file under this arm. */
  readonly targetContent: Uint8Array;
  readonly targetRelpath: string;
  readonly slot: number;
  readonly policy: ToolPolicy;
  /** Under `real`: the toolsets that a person confirmed by name. */
  readonly realToolsets?: readonly string[];
  readonly maxTurns: number;
  readonly timeoutMs: number;
  /** The trial ends before the model call that would pass this; null = no limit of its own. */
  readonly tokenLimit: number | null;
}

export interface ToolCallRecord {
  readonly name: string;
  readonly arguments: string;
  readonly result: string | null;
  readonly handling: 'real' | 'simulated' | 'blocked' | 'unknown';
}

/** What a finished trial leaves behind, before any check looked at it. */
export interface TrialEvidence {
  readonly kind: 'completed';
  readonly response: string;
  readonly toolCalls: readonly ToolCallRecord[];
  readonly questionsAsked: number;
  /** Working-directory files named by the scenario's `file_equals` checks; null = absent. */
  readonly files: ReadonlyMap<string, string | null>;
  readonly sessionId: string;
  readonly model: string | null;
  readonly apiCalls: number | null;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Part of the input that the provider read from its prompt cache; null or absent = not reported. */
  readonly cachedInputTokens?: number | null;
  readonly totalTokens: number | null;
  readonly costUsd: number | null;
  readonly costSource: 'provider' | 'host' | 'config' | null;
  /** Set when the trial ended at a limit of its own (time, tokens, turns, resources of its container): a fail, not infra. */
  readonly limitReached: 'time' | 'tokens' | 'turns' | 'resources' | null;
  readonly durationMs: number;
  /** Ids that the provider gave its responses; absent when the runner does not learn them. */
  readonly responseIds?: readonly string[];
  /** Time within calls of the model; null or absent when it was not measured. */
  readonly modelMs?: number | null;
}

/** A fault outside the agent; decided without looking at arm or checks. */
export interface TrialInfra {
  readonly kind: 'infra';
  readonly reason: string;
  /** A usage limit of a subscription: the whole run stops. */
  readonly stopRun: boolean;
  readonly totalTokens: number | null;
  readonly costUsd: number | null;
  readonly durationMs: number;
}

export type TrialResult = TrialEvidence | TrialInfra;

/** Runs trials in one slot each. `cold` starts a Hermes per trial, `warm` forks it from one that is loaded. */
export interface TrialRunner {
  readonly name: string;
  /** Why trials are run another way than was asked for; null or absent while they aren't. */
  readonly fellBack?: string | null;
  run(spec: TrialSpec, signal: AbortSignal): Promise<TrialResult>;
  /** Wipes its slots; after `finished` also what it kept for going on with the run. */
  close(outcome: 'finished' | 'interrupted'): Promise<void>;
}

export interface CheckResult {
  readonly kind: CheckKind;
  readonly check: Check;
  readonly passed: boolean;
  /** Why, in words; for a judge its rationale. */
  readonly detail: string;
}

// ── Progress ──────────────────────────────────────────────────────────────

export interface ProgressUpdate {
  readonly phase: string;
  readonly done: number;
  readonly total: number;
  readonly costUsd: number | null;
  readonly tokens: number;
  readonly etaMs: number | null;
  readonly message?: string;
}

export type ProgressListener = (update: ProgressUpdate) => void;
