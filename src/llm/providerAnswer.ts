import * as z from 'zod';
import { KarpathyError } from '../errors.js';
import type { Completion, TokenUsage } from '../ports.js';
import type { ModelIdentity } from '../schemas.js';

const tokens = z.number().nonnegative().nullish();

/** What we read of a chat completion; servers add much more. */
const answerSchema = z.object({
  model: z.string().min(1).nullish(),
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z
            .union([z.string(), z.array(z.object({ type: z.string(), text: z.string().optional() }))])
            .nullish(),
        }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: tokens, completion_tokens: tokens, total_tokens: tokens, cost: tokens }).nullish(),
});

/** @throws KarpathyError `model_failed` when the body is no chat completion with a text */
export function readAnswer(body: string, configured: ModelIdentity): Completion {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    throw garbage(configured, `is not JSON: ${excerpt(body)}`);
  }
  const parsed = answerSchema.safeParse(json);
  if (!parsed.success) throw garbage(configured, `is not a chat completion: ${excerpt(body)}`);
  const { choices, usage, model } = parsed.data;
  const content = choices[0]?.message.content;
  const text = typeof content === 'string' ? content : (content ?? []).map((part) => part.text ?? '').join('');
  if (text.trim() === '') {
    const why = choices[0]?.finish_reason === 'length' ? 'has no text: it reached its token limit' : 'has no text';
    throw garbage(configured, why, { charged: true });
  }
  return {
    text,
    identity: { ...configured, model: model ?? configured.model },
    usage: usageOf(usage),
    costUsd: usage?.cost ?? null,
  };
}

function usageOf(usage: z.infer<typeof answerSchema>['usage']): TokenUsage {
  const inputTokens = usage?.prompt_tokens ?? null;
  const outputTokens = usage?.completion_tokens ?? null;
  const sum = inputTokens === null || outputTokens === null ? null : inputTokens + outputTokens;
  return { inputTokens, outputTokens, totalTokens: usage?.total_tokens ?? sum };
}

function garbage(configured: ModelIdentity, problem: string, { charged = false } = {}): KarpathyError {
  return new KarpathyError('model_failed', `The answer of ${configured.model} at ${configured.base_url} ${problem}.`, {
    hint: 'Check that base_url names an OpenAI-compatible API, for example one that ends in /v1.',
    charged,
  });
}

export function excerpt(body: string): string {
  const line = body.replace(/\s+/g, ' ').trim();
  return line === '' ? '(empty)' : JSON.stringify(line.length > 200 ? `${line.slice(0, 200)}…` : line);
}

const LONGEST_MESSAGE = 500;

function shortened(message: string): string {
  return message.length > LONGEST_MESSAGE ? `${message.slice(0, LONGEST_MESSAGE)}…` : message;
}

/** The provider's own words about a failure: `error.message`, else the start of the body. */
export function failureMessage(body: string): string {
  try {
    const parsed = z
      .object({
        error: z.union([z.string(), z.object({ message: z.string(), code: z.unknown(), type: z.unknown() }).partial()]),
      })
      .safeParse(JSON.parse(body));
    if (parsed.success) {
      const { error } = parsed.data;
      if (typeof error === 'string') return shortened(error);
      const kind = [error.code, error.type].filter((part) => typeof part === 'string').join(', ');
      return shortened([error.message ?? '', kind === '' ? '' : `(${kind})`].filter((part) => part !== '').join(' '));
    }
  } catch {
    // Not JSON: shown as it is.
  }
  return excerpt(body);
}
