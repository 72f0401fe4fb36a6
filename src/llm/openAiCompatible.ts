import { setTimeout as wait } from 'node:timers/promises';
import { KarpathyError, type ErrorDetails } from '../errors.js';
import type { Completion, CompletionRequest, LanguageModel } from '../ports.js';
import type { ModelIdentity } from '../schemas.js';
import { failureMessage, readAnswer } from './providerAnswer.js';
import { reachEndpoint } from './reachEndpoint.js';
import { scrub } from './secrets.js';

export interface EndpointChoice {
  readonly base_url: string;
  readonly model: string;
  readonly api_key_env?: string;
}

export interface EndpointOptions {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly fetch?: typeof fetch;
  /** Waits between attempts; rejects when the signal fires. */
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly attempts?: number;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_ATTEMPTS = 4;
const FIRST_WAIT_MS = 1_000;
/** Who asks for more than this has reached a limit that waiting in a command does not lift. */
const LONGEST_WAIT_MS = 60_000;

const USAGE_LIMIT =
  /insufficient_quota|quota|billing|usage[ _-]?limit|credit|spending limit|plan limit|(?:daily|weekly|monthly|5-hour) limit/i;

/** A model behind an OpenAI-compatible `base_url`. The key is read from the environment at each call and never kept. */
export function openAiCompatible(choice: EndpointChoice, options: EndpointOptions): LanguageModel {
  const baseUrl = choice.base_url.replace(/\/+$/, '');
  const configured: ModelIdentity = { provider: 'openai-compatible', base_url: baseUrl, model: choice.model };
  return {
    configured,
    async complete(request) {
      const call = new EndpointCall(choice, { ...options, baseUrl, configured, request });
      return call.complete();
    },
    reach: (signal) =>
      reachEndpoint({ ...choice, base_url: baseUrl }, { ...options, key: readKey(choice, options.env), signal }),
  };
}

interface Attempt {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs: number | null;
}

/** One completion with its retries. */
class EndpointCall {
  readonly #choice: EndpointChoice;
  readonly #options: EndpointOptions & { baseUrl: string; configured: ModelIdentity; request: CompletionRequest };
  readonly #key: string | null;
  /** Parameters the server refused by name; newer and older servers differ in these two. */
  readonly #refused = new Set<'max_tokens' | 'temperature'>();

  constructor(
    choice: EndpointChoice,
    options: EndpointOptions & { baseUrl: string; configured: ModelIdentity; request: CompletionRequest },
  ) {
    this.#choice = choice;
    this.#options = options;
    this.#key = readKey(choice, options.env);
  }

  async complete(): Promise<Completion> {
    const attempts = this.#options.attempts ?? DEFAULT_ATTEMPTS;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#attempt();
      if (!(outcome instanceof KarpathyError) && outcome.status >= 200 && outcome.status < 300) {
        return this.#read(outcome.body);
      }
      if (!(outcome instanceof KarpathyError) && this.#adapts(outcome)) continue;
      const waitMs = outcome instanceof KarpathyError ? null : this.#limitOrWait(outcome);
      if (!retryable(outcome) || attempt >= attempts) throw this.#failure(outcome, attempt);
      await this.#sleep(waitMs ?? FIRST_WAIT_MS * 2 ** (attempt - 1));
    }
  }

  /** An answer with a status, or the error of a request that got none. */
  async #attempt(): Promise<Attempt | KarpathyError> {
    const { request, baseUrl } = this.#options;
    const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
    try {
      const response = await (this.#options.fetch ?? fetch)(`${baseUrl}/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(this.#key === null ? {} : { authorization: `Bearer ${this.#key}` }),
        },
        body: JSON.stringify(this.#parameters()),
        signal,
      });
      const body = await response.text();
      return { status: response.status, body, retryAfterMs: retryAfter(response.headers) };
    } catch (error) {
      if (request.signal?.aborted === true) throw new KarpathyError('interrupted', 'Interrupted.');
      if (timeout.aborted) {
        // Not tried again: whoever waits has waited long enough, and a slow server stays slow.
        throw this.#error('model_failed', `did not answer within ${timeoutMs / 1000} s`, { charged: true });
      }
      return this.#error('model_failed', `cannot be reached: ${reasonOf(error)}`, {
        hint: 'Check that the server runs and that base_url is right.',
      });
    }
  }

  #parameters(): Record<string, unknown> {
    const { request } = this.#options;
    const limit = this.#refused.has('max_tokens') ? 'max_completion_tokens' : 'max_tokens';
    return {
      model: this.#choice.model,
      messages: request.messages,
      stream: false,
      ...(request.temperature === undefined || this.#refused.has('temperature')
        ? {}
        : { temperature: request.temperature }),
      ...(request.maxTokens === undefined ? {} : { [limit]: request.maxTokens }),
    };
  }

  #read(body: string): Completion {
    try {
      return readAnswer(body, this.#options.configured);
    } catch (error) {
      throw error instanceof KarpathyError ? this.#scrubbed(error) : error;
    }
  }

  /** Drops a parameter that the server does not know; true when that makes another try worth it. */
  #adapts(outcome: Attempt): boolean {
    if (outcome.status !== 400) return false;
    const named = (['max_tokens', 'temperature'] as const).find(
      (name) => outcome.body.includes(name) && /unsupported|not supported|unrecognized|unknown/i.test(outcome.body),
    );
    if (named === undefined || this.#refused.has(named)) return false;
    this.#refused.add(named);
    return true;
  }

  /** @throws KarpathyError `model_limit` */
  #limitOrWait(outcome: Attempt): number | null {
    const message = failureMessage(outcome.body);
    const tooLong = outcome.retryAfterMs !== null && outcome.retryAfterMs > LONGEST_WAIT_MS;
    if (outcome.status === 402 || (outcome.status === 429 && (USAGE_LIMIT.test(message) || tooLong))) {
      const until = tooLong ? ` (asks to wait ${Math.ceil((outcome.retryAfterMs ?? 0) / 60_000)} minutes)` : '';
      throw this.#error('model_limit', `refuses more calls${until}: ${message}`, {
        hint: 'Wait until the limit resets, or choose another model; what is finished is kept.',
      });
    }
    return outcome.retryAfterMs;
  }

  #failure(outcome: Attempt | KarpathyError, attempts: number): KarpathyError {
    if (outcome instanceof KarpathyError) return outcome;
    const message = failureMessage(outcome.body);
    if (outcome.status === 401 || outcome.status === 403) {
      const name = this.#choice.api_key_env;
      const hint =
        name === undefined
          ? 'Set api_key_env to the name of the environment variable that holds the key.'
          : `Check the key in the environment variable ${name}.`;
      return this.#error('model_failed', `refused the key with ${outcome.status}: ${message}`, { hint });
    }
    const times = attempts > 1 ? ` after ${attempts} attempts` : '';
    return this.#error('model_failed', `answered ${outcome.status}${times}: ${message}`, {
      hint: retryable(outcome)
        ? 'The server is busy or broken; what is finished is kept. Run the command again later.'
        : 'Check the name of the model and base_url; `hermes karpathy doctor` asks the models.',
    });
  }

  #error(
    code: 'model_failed' | 'model_limit',
    what: string,
    details: Pick<ErrorDetails, 'hint' | 'charged'> = {},
  ): KarpathyError {
    const { configured } = this.#options;
    return this.#scrubbed(new KarpathyError(code, `${configured.model} at ${configured.base_url} ${what}.`, details));
  }

  /** The message without the key; the cause, which may hold headers, is left out. */
  #scrubbed(error: KarpathyError): KarpathyError {
    const { hint, charged } = error;
    return new KarpathyError(error.code, scrub(error.message, this.#key), { hint, charged });
  }

  async #sleep(ms: number): Promise<void> {
    const { signal } = this.#options.request;
    try {
      await (this.#options.sleep ?? ((time, s) => wait(time, undefined, s === undefined ? {} : { signal: s })))(
        ms,
        signal,
      );
    } catch (error) {
      if (signal?.aborted === true) throw new KarpathyError('interrupted', 'Interrupted.');
      throw error;
    }
  }
}

function readKey(choice: EndpointChoice, env: Readonly<NodeJS.ProcessEnv>): string | null {
  if (choice.api_key_env === undefined) return null;
  const key = env[choice.api_key_env]?.trim();
  if (key === undefined || key === '') {
    throw new KarpathyError(
      'bad_config',
      `The environment variable ${choice.api_key_env} with the key of ${choice.model} is not set.`,
      {
        hint: `Set ${choice.api_key_env} in the environment or the profile's .env, or take api_key_env out of the configuration.`,
      },
    );
  }
  return key;
}

function retryable(outcome: Attempt | KarpathyError): boolean {
  if (outcome instanceof KarpathyError) return true;
  return outcome.status === 429 || outcome.status === 408 || outcome.status >= 500;
}

/** Milliseconds; the header holds seconds or a date. */
function retryAfter(headers: Headers): number | null {
  const value = headers.get('retry-after');
  if (value === null || value.trim() === '') return null;
  const ms = /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError)
    return cause.errors.map((e) => (e instanceof Error ? e.message : String(e))).join('; ');
  if (cause instanceof Error) return cause.message;
  return error instanceof Error ? error.message : String(error);
}
