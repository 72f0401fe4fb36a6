import { parseArgs } from 'node:util';

export interface DemoOptions {
  /** A real model instead of the simulated one. */
  readonly real: { readonly baseUrl: string; readonly model: string } | null;
  readonly seed: string;
  readonly limitSeconds: number;
}

export const HELP = `npm run demo [-- OPTIONS]

Shows one edit after the other going through the plugin in a real Hermes, in a temporary Hermes root.

  --base-url URL      a real OpenAI-compatible model instead of the simulated one (ends in /v1)
  --model NAME        its name; the key, if it needs one, is read from OPENAI_API_KEY
  --seed TEXT         seed of the simulated model (default: the one this demo was written for)
  --limit MINUTES     the story stops after this time (default 15; 120 with a real model)
  --help
`;

/** The default seed: with it every act comes out as told; with another one chance may tell a different story. */
export const DEFAULT_SEED = 'moss';

/** @throws Error with what is wrong; null when help was asked for */
export function readOptions(argv: readonly string[]): DemoOptions | null {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      'base-url': { type: 'string' },
      model: { type: 'string' },
      seed: { type: 'string', default: DEFAULT_SEED },
      limit: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const baseUrl = values['base-url'];
  if ((baseUrl === undefined) !== (values.model === undefined)) {
    throw new Error('--base-url and --model belong together: give both, or none for the simulated model.');
  }
  if (baseUrl !== undefined && !/^https?:\/\//.test(baseUrl)) {
    throw new Error(`--base-url ${baseUrl} is not a URL: it begins with http:// or https:// and ends in /v1.`);
  }
  const minutes = Number(values.limit ?? (baseUrl === undefined ? 15 : 120));
  if (!(minutes > 0)) throw new Error(`--limit ${values.limit} is not a number of minutes above 0.`);
  return {
    real: baseUrl === undefined || values.model === undefined ? null : { baseUrl, model: values.model },
    seed: values.seed,
    limitSeconds: minutes * 60,
  };
}
