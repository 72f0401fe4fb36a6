import { KarpathyError } from '../errors.js';
import { failureMessage } from './providerAnswer.js';
import type { EndpointChoice, EndpointOptions } from './openAiCompatible.js';
import { scrub } from './secrets.js';

/** Whoever asks waits for the answer before anything else happens. */
const TIMEOUT_MS = 5_000;

/**
 * Asks an endpoint for its list of models, which costs no tokens: is it there, and does it take the key? A server
 * without such a list is taken as there.
 * @throws KarpathyError `model_failed`, `interrupted`
 */
export async function reachEndpoint(
  { base_url: baseUrl, model }: EndpointChoice,
  options: Pick<EndpointOptions, 'fetch'> & { readonly key: string | null; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { key, signal } = options;
  const failed = (what: string, hint: string): KarpathyError =>
    new KarpathyError('model_failed', scrub(`${model} at ${baseUrl} ${what}; nothing was spent.`, key), { hint });
  const response = await ask(`${baseUrl}/models`, options).catch((error: unknown) => {
    if (signal?.aborted === true) throw new KarpathyError('interrupted', 'Interrupted.');
    const late = error instanceof Error && error.name === 'TimeoutError';
    const reason = late ? `does not answer within ${TIMEOUT_MS / 1000} s` : `cannot be reached: ${reasonOf(error)}`;
    throw failed(reason, 'Check that the server runs and that base_url is right.');
  });
  const body = await response.text().catch(() => '');
  if (response.status === 401 || response.status === 403) {
    throw failed(`refused the key with ${response.status}: ${failureMessage(body)}`, 'Check the key of this model.');
  }
  if (response.status >= 500) {
    throw failed(`answered ${response.status}: ${failureMessage(body)}`, 'Run the command again later.');
  }
}

function ask(
  url: string,
  {
    key,
    signal,
    fetch: own,
  }: Pick<EndpointOptions, 'fetch'> & { key: string | null; signal?: AbortSignal | undefined },
): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return (own ?? fetch)(url, {
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  });
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && cause.message !== '' ? cause.message : 'the connection failed';
}
