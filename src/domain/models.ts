/** A model as the call returned it (`ModelIdentity` of the schemas). */
export interface NamedModel {
  readonly provider: string;
  readonly base_url: string | null;
  readonly model: string;
}

/**
 * Two models are the same when the endpoint (or, without one, the provider) and the model's name agree, however
 * they are spelt. The host names a provider and no endpoint: against a model with an endpoint the name alone decides,
 * without the vendor that some providers put before it, since the two may well be one.
 */
export function sameModel(a: NamedModel, b: NamedModel): boolean {
  if ((a.base_url === null) !== (b.base_url === null)) return bareName(a) === bareName(b);
  return endpoint(a) === endpoint(b) && a.model.trim().toLowerCase() === b.model.trim().toLowerCase();
}

function bareName({ model }: NamedModel): string {
  return model.trim().toLowerCase().split('/').at(-1) ?? '';
}

function endpoint(model: NamedModel): string {
  return model.base_url === null ? model.provider.trim().toLowerCase() : sameUrl(model.base_url);
}

function sameUrl(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return url.trim().toLowerCase();
  }
  const host = ['localhost', '[::1]'].includes(parsed.hostname) ? '127.0.0.1' : parsed.hostname;
  return `${parsed.protocol}//${host}:${parsed.port}${parsed.pathname.replace(/\/+$/, '')}`;
}

/** For people and for the DB's model columns: `claude-x (openrouter)`, `qwen (http://127.0.0.1:8080/v1)`. */
export function describeModel(model: NamedModel): string {
  return `${model.model} (${model.base_url ?? model.provider})`;
}

/** The model behind a description that `describeModel` made; null for anything else, such as `human`. */
export function describedModel(description: string): NamedModel | null {
  const match = /^(.+) \(([^()]+)\)$/.exec(description);
  const [, model, place] = match ?? [];
  if (model === undefined || place === undefined) return null;
  return URL.canParse(place) && place.includes('://')
    ? { provider: 'openai-compatible', base_url: place, model }
    : { provider: place, base_url: null, model };
}
