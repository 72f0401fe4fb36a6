import type { Scrubber } from '../domain/secrets.js';
import type { LanguageModel } from '../ports.js';

/** Shorter values are placeholders of local servers, and cutting them out would garble the message. */
const SHORTEST = 4;

/** The text without the secret, whoever repeated it. */
export function scrub(text: string, secret: string | null): string {
  return secret === null || secret.length < SHORTEST ? text : text.replaceAll(secret, '***');
}

/** A model that is sent no secret, and whose answers and errors bring none back. */
export function withoutSecrets(model: LanguageModel, scrubber: Scrubber): LanguageModel {
  const clean = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      throw scrubber.error(error);
    }
  };
  return {
    configured: model.configured,
    ...(model.reach === undefined ? {} : { reach: (signal) => withoutSecret(scrubber, model.reach?.(signal)) }),
    async complete(request) {
      const messages = request.messages.map((message) => ({ ...message, content: scrubber.text(message.content) }));
      const completion = await clean(model.complete({ ...request, messages }));
      return { ...completion, text: scrubber.text(completion.text) };
    },
    ...(model.reach && { reach: (signal) => clean(model.reach?.(signal) ?? Promise.resolve()) }),
  };
}

async function withoutSecret(scrubber: Scrubber, work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    throw scrubber.error(error);
  }
}
