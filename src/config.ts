import * as z from 'zod';
import { KarpathyError } from './errors.js';
import { problemsOf } from './problems.js';
import { modelChoiceSchema } from './schemas.js';

/** Where the section stands in the root home's config.yaml; never written by the plugin. */
export const CONFIG_PATH = 'plugins.karpathy_self_improve';

const priceSchema = z.strictObject({
  /** USD per million tokens. */
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  /** Of input that the provider reads from its prompt cache; without it, input is input. */
  cached_input: z.number().nonnegative().optional(),
});

/** The part that may also stand under `profiles.<name>`. */
const perProfile = {
  models: z.strictObject({ proposer: modelChoiceSchema.optional(), judge: modelChoiceSchema.optional() }).optional(),
  prices: z.record(z.string().min(1), priceSchema).optional(),
  runner: z
    .strictObject({
      kind: z.enum(['auto', 'warm', 'cold']).optional(),
      /** Path of the Hermes executable, for the bin that runs without Hermes in front. */
      hermes: z.string().min(1).optional(),
      /** Trials at the same time; `auto`: by cores and free memory. */
      concurrency: z
        .union([z.literal('auto'), z.int().min(1).max(16)], { error: 'must be auto, or 1 to 16' })
        .optional(),
      /** Of the trials' processes. */
      nice: z.int().min(0).max(19).optional(),
      /** Whether no trial starts while a session of the person's is in a turn. */
      yield_to_turns: z.boolean().optional(),
      timeout_seconds: z.int().min(5).max(3600).optional(),
      max_turns: z.int().min(1).max(90).optional(),
      /** Of scenarios that name none of their own; null = those of the live agent. */
      toolsets: z.array(z.string().min(1)).min(1).nullable().optional(),
      /** Of one contained trial, over all its processes. */
      contained: z
        .strictObject({
          memory_mb: z.int().min(512).max(1_000_000).optional(),
          /** Processes and threads. */
          processes: z.int().min(64).max(10_000).optional(),
          disk_mb: z.int().min(64).max(1_000_000).optional(),
          /** Absolute paths of directories that trials may read besides the system's programs. */
          read_only: z.array(z.string().startsWith('/', { error: 'must be an absolute path' })).optional(),
        })
        .optional(),
    })
    .optional(),
  budget: z
    .strictObject({
      /** Over the whole life of one edit: proposer, judge, trials, live window. */
      usd: z.number().positive().nullable().optional(),
      tokens: z.int().positive().nullable().optional(),
    })
    .optional(),
  gate: z
    .strictObject({
      alpha: z.number().gt(0).max(0.2).optional(),
      epochs: z.int().min(1).max(20).optional(),
      /** In points: the gain that an evaluation should be able to find. */
      wanted_effect: z.int().min(1).max(100).optional(),
      /** How often it has to find it, in [0, 1]; below that nothing is spent. */
      min_power: z.number().min(0).max(0.95).optional(),
    })
    .optional(),
  live: z
    .strictObject({
      sessions: z.int().min(1).max(1000).optional(),
      days: z.number().gt(0).max(90).optional(),
      /** Pairs of each holdout scenario in a fresh run; `auto`: by the number of groups. */
      epochs: z.union([z.literal('auto'), z.int().min(1).max(20)], { error: 'must be auto, or 1 to 20' }).optional(),
    })
    .optional(),
  privacy: z
    .strictObject({
      /** Whether the proposer sees the agent's tool calls of failing train trials. */
      tool_traces: z.boolean().optional(),
      metrics: z.boolean().optional(),
    })
    .optional(),
};

export const configSchema = z.strictObject({
  db_path: z.string().min(1).optional(),
  node: z.string().min(1).optional(),
  ...perProfile,
  background: z
    .strictObject({
      /** Whether an open job may run trials when a hook or `tick` wakes the worker. */
      evaluate: z.boolean().optional(),
      /** Local hours, for example `22-06`; background trials run only then. */
      hours: z
        .string()
        .regex(/^([01]?\d|2[0-3])-([01]?\d|2[0-3])$/, { error: 'must be two hours like 22-06' })
        .optional(),
    })
    .optional(),
  slash: z.strictObject({ allow_changes_from: z.array(z.string().min(1)).optional() }).optional(),
  approvals: z.strictObject({ allow_noninteractive: z.boolean().optional() }).optional(),
  profiles: z.record(z.string().min(1), z.strictObject(perProfile)).optional(),
});
export type WrittenConfig = z.infer<typeof configSchema>;

/** What the rest of the code reads. Every leaf has a value; `null` is "no limit" or "not chosen". */
export interface ResolvedConfig {
  readonly db_path: string | null;
  readonly node: string | null;
  readonly models: {
    readonly proposer: z.infer<typeof modelChoiceSchema> | null;
    readonly judge: z.infer<typeof modelChoiceSchema> | null;
  };
  readonly prices: Readonly<Record<string, z.infer<typeof priceSchema>>>;
  readonly runner: {
    readonly kind: 'auto' | 'warm' | 'cold';
    readonly hermes: string | null;
    readonly concurrency: number | 'auto';
    readonly nice: number;
    readonly yield_to_turns: boolean;
    readonly timeout_seconds: number;
    readonly max_turns: number;
    readonly toolsets: readonly string[] | null;
    readonly contained: {
      readonly memory_mb: number;
      readonly processes: number;
      readonly disk_mb: number;
      readonly read_only: readonly string[];
    };
  };
  readonly budget: { readonly usd: number | null; readonly tokens: number | null };
  readonly gate: {
    readonly alpha: number;
    readonly epochs: number;
    readonly wanted_effect: number;
    readonly min_power: number;
  };
  readonly live: { readonly sessions: number; readonly days: number; readonly epochs: number | 'auto' };
  readonly background: { readonly evaluate: boolean; readonly hours: string | null };
  readonly slash: { readonly allow_changes_from: readonly string[] };
  readonly approvals: { readonly allow_noninteractive: boolean };
  readonly privacy: { readonly tool_traces: boolean; readonly metrics: boolean };
}

export const DEFAULT_CONFIG: ResolvedConfig = {
  db_path: null,
  node: null,
  models: { proposer: null, judge: null },
  prices: {},
  runner: {
    ...{ kind: 'auto', hermes: null, concurrency: 'auto', nice: 10, yield_to_turns: false },
    ...{ timeout_seconds: 180, max_turns: 20, toolsets: null },
    contained: { memory_mb: 2048, processes: 256, disk_mb: 1024, read_only: [] },
  },
  budget: { usd: null, tokens: null },
  gate: { alpha: 0.05, epochs: 6, wanted_effect: 20, min_power: 0.5 },
  live: { sessions: 10, days: 14, epochs: 'auto' },
  background: { evaluate: false, hours: null },
  slash: { allow_changes_from: [] },
  approvals: { allow_noninteractive: false },
  privacy: { tool_traces: true, metrics: true },
};

/** One source of values, weakest first: the profile's set-up, then config.yaml, then its `profiles.<name>`. */
export interface ConfigLayer {
  readonly source: string;
  readonly values: unknown;
}

export interface ConfigWithSources {
  readonly config: ResolvedConfig;
  /** Leaf path, for example `gate.alpha`, to the source its value came from. */
  readonly sources: ReadonlyMap<string, string>;
}

/** Leaves that are one value although they are objects. */
const WHOLE = new Set([
  ...['models.proposer', 'models.judge', 'prices', 'runner.toolsets', 'runner.contained.read_only'],
  'slash.allow_changes_from',
]);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks one section; all problems at once. @throws KarpathyError `bad_config` */
export function parseConfigSection(section: unknown, where: string): WrittenConfig {
  const parsed = configSchema.safeParse(section ?? {});
  if (parsed.success) return parsed.data;
  throw new KarpathyError('bad_config', `The section ${CONFIG_PATH} of ${where} is not valid.`, {
    problems: problemsOf(parsed.error, section, { prefix: CONFIG_PATH, schema: configSchema }),
    hint: 'docs/configuration.md lists every key with its allowed values.',
  });
}

/** Merges the layers over the defaults leaf by leaf; the strongest layer that has a value wins. */
export function resolveConfig(layers: readonly ConfigLayer[]): ConfigWithSources {
  const sources = new Map<string, string>();
  const merge = (defaults: unknown, values: readonly ConfigLayer[], path: string): unknown => {
    if (isRecord(defaults) && !WHOLE.has(path)) {
      return Object.fromEntries(
        Object.entries(defaults).map(([key, inner]) => [
          key,
          merge(
            inner,
            values.map((l) => ({ source: l.source, values: isRecord(l.values) ? l.values[key] : undefined })),
            path === '' ? key : `${path}.${key}`,
          ),
        ]),
      );
    }
    const strongest = values.findLast((layer) => layer.values !== undefined);
    sources.set(path, strongest?.source ?? 'default');
    return strongest === undefined ? defaults : strongest.values;
  };
  // The layers were parsed by the schema, whose keys are those of DEFAULT_CONFIG.
  return { config: merge(DEFAULT_CONFIG, layers, '') as ResolvedConfig, sources };
}
