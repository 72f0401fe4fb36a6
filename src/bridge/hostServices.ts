import { JSONRPCErrorException } from 'json-rpc-2.0';
import { KarpathyError } from '../errors.js';
import type { Completion, HostServices, Logger } from '../ports.js';
import type { Channel } from './channel.js';
import { completionFailure, completionResult } from './protocol.js';

/** The model of the Hermes process at the other end of the channel. Its calls block a thread there, not this one. */
export function hostServicesOver(channel: Channel): HostServices {
  return {
    async completeWithHostModel(request): Promise<Completion> {
      request.signal?.throwIfAborted();
      const answer = await untilAborted(
        channel.request('llm.complete', {
          messages: request.messages,
          ...(request.provider === undefined ? {} : { provider: request.provider }),
          ...(request.model === undefined ? {} : { model: request.model }),
          ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
          ...(request.maxTokens === undefined ? {} : { max_tokens: request.maxTokens }),
          ...(request.timeoutMs === undefined ? {} : { timeout: request.timeoutMs / 1000 }),
          purpose: request.purpose,
        }),
        request.signal,
      ).catch((error: unknown) => {
        throw asKarpathyError(error);
      });
      return toCompletion(answer);
    },
  };
}

/** Lines for the log of the Hermes process; nothing is written here, where stdout may be the channel. */
export function loggerOver(channel: Channel): Logger {
  const at = (level: string) => (message: string) => channel.notify('log', { level, message });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function toCompletion(answer: unknown): Completion {
  const parsed = completionResult.safeParse(answer);
  if (!parsed.success) {
    throw new KarpathyError('model_failed', "Hermes' model gave an answer that can't be read.", { charged: true });
  }
  const { text, provider, model, usage, cost_usd: costUsd } = parsed.data;
  return {
    text,
    identity: { provider, base_url: null, model },
    usage: { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens, totalTokens: usage.total_tokens },
    costUsd,
  };
}

function asKarpathyError(error: unknown): unknown {
  if (!(error instanceof JSONRPCErrorException)) return asFailedCall(error);
  const failure = completionFailure.safeParse(error.data);
  if (!failure.success) return new KarpathyError('model_failed', `Hermes' model failed: ${error.message}`);
  const { kind, message } = failure.data;
  switch (kind) {
    case 'trust':
      return new KarpathyError('model_failed', `Hermes does not let this plugin choose the model: ${message}`, {
        hint: 'Allow it with `plugins.entries.karpathy-self-improve.llm.allow_model_override: true` (and allow_provider_override) in config.yaml, or use base_url.',
      });
    case 'limit':
      return new KarpathyError('model_limit', `The usage limit of Hermes' model is reached: ${message}`);
    case 'provider':
      return new KarpathyError('model_failed', `Hermes' model failed: ${error.message}`);
  }
}

function asFailedCall(error: unknown): unknown {
  if (!(error instanceof Error) || error.name === 'AbortError') return error;
  return new KarpathyError('host_failed', error.message, { cause: error });
}

/** The host's call can't be stopped from here; its answer is dropped. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(new DOMException('Aborted', 'AbortError'));
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
