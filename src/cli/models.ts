import * as z from 'zod';
import { modelChoiceSchema, type ModelChoice } from '../schemas.js';

/** The written forms of a model on the command line. */
export const MODEL_FORMS = "host (the agent's own), host#MODEL, or URL#MODEL of an OpenAI-compatible server";

/** `host`, `host#MODEL` or `URL#MODEL` as a model choice; `keyEnv` names the variable that holds the key. */
export function modelFrom(written: string, keyEnv?: string): ModelChoice | null {
  const at = written.indexOf('#');
  const place = at === -1 ? written : written.slice(0, at);
  const model = at === -1 ? undefined : written.slice(at + 1);
  const choice =
    place === 'host'
      ? { host: true, ...(model === undefined ? {} : { model }) }
      : { base_url: place, model, ...(keyEnv === undefined ? {} : { api_key_env: keyEnv }) };
  const parsed = modelChoiceSchema.safeParse(choice);
  return parsed.success ? parsed.data : null;
}

export const modelText = z.string().refine((written) => modelFrom(written) !== null, {
  error: `must be ${MODEL_FORMS}, for example http://127.0.0.1:8080/v1#my-model`,
});

export const judgeText = z.string().refine((written) => written === 'none' || modelFrom(written) !== null, {
  error: `must be none, ${MODEL_FORMS}`,
});

export const keyEnvName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
  error: 'must be the name of an environment variable; the key itself is never stored',
});
