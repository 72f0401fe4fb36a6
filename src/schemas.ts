import * as z from 'zod';

/** What crosses a boundary is parsed here once; inside, the types are trusted. */

// ── Models ────────────────────────────────────────────────────────────────

/** What is stored and shown, so nothing secret may stand in it; a name and a password could not be sent either. */
const endpointUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .refine((url) => !/^https?:\/\/[^/]*@|[?#]/i.test(url), {
    error: 'must not hold a name, a password or a query: name the variable with the key in api_key_env',
  });

/** A model for the proposer or the judge, as it is written in config.yaml and stored in `profiles`. */
export const modelChoiceSchema = z.union(
  [
    z.strictObject({
      /** The host's own model through `ctx.llm`; `model` needs the host's permission to override. */
      host: z.literal(true),
      provider: z.string().min(1).optional(),
      model: z.string().min(1).optional(),
    }),
    z.strictObject({
      base_url: endpointUrl,
      model: z.string().min(1),
      /** Name of the environment variable that holds the key; the key itself is never stored. */
      api_key_env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, { error: 'must be the name of an environment variable, not the key itself' })
        .optional(),
    }),
  ],
  { error: 'must be {host: true, provider?, model?} or {base_url, model, api_key_env?}' },
);
export type ModelChoice = z.infer<typeof modelChoiceSchema>;

/** Which model answered, as the call returned it. Two are the same when provider-or-endpoint and model agree. */
export const modelIdentitySchema = z.strictObject({
  provider: z.string(),
  base_url: z.string().nullable(),
  model: z.string(),
});
export type ModelIdentity = z.infer<typeof modelIdentitySchema>;

// ── Scenarios ─────────────────────────────────────────────────────────────

const text = z.string().min(1);
const relativePath = z
  .string()
  .min(1)
  .refine((p) => !p.startsWith('/') && !p.split(/[\\/]/).includes('..') && !p.startsWith('~'), {
    error: 'must be a relative path inside the working directory, without ".."',
  });

/** Exactly one key per check; the key names the kind. */
export const checkSchema = z
  .strictObject({
    must_contain: text.optional(),
    must_not_contain: text.optional(),
    /** RE2 syntax (linear time); flags as a prefix, for example `(?i)`. */
    regex: text.optional(),
    json_schema: z.record(z.string(), z.unknown()).optional(),
    /** Upper bound on the output tokens of the whole trial, as the model counted them. */
    max_tokens: z.int().positive().optional(),
    tool_used: text.optional(),
    tool_not_used: text.optional(),
    max_tool_calls: z.int().nonnegative().optional(),
    asked_user: z.boolean().optional(),
    file_equals: z.strictObject({ path: relativePath, content: z.string() }).optional(),
    /** USD of the whole trial. */
    max_cost: z.number().positive().optional(),
    /** A rubric for the judge. */
    judge: text.optional(),
  })
  .refine((check) => Object.values(check).filter((v) => v !== undefined).length === 1, {
    error: 'needs exactly one kind of check',
  });
export type Check = z.infer<typeof checkSchema>;
export type CheckKind = keyof Check;

export function checkKind(check: Check): CheckKind {
  for (const [kind, value] of Object.entries(check)) if (value !== undefined) return kind as CheckKind;
  throw new TypeError('a check without a kind passed the schema');
}

export const toolPolicySchema = z.enum(['simulated', 'contained', 'real']);
export type ToolPolicy = z.infer<typeof toolPolicySchema>;

/** What a simulated tool answers: always the same text, or the first entry whose `when` occurs in the arguments. */
export const toolResultSchema = z.union(
  [z.string(), z.array(z.strictObject({ when: z.string().optional(), result: z.string() })).min(1)],
  { error: 'must be a text, or a list of {when?, result}' },
);
export type ToolResult = z.infer<typeof toolResultSchema>;

/** The body of a scenario: what is stored in `scenarios.spec` and snapshotted into results. */
export const scenarioSpecSchema = z
  .strictObject({
    input: text.optional(),
    /** Several user turns of one conversation; instead of `input`. */
    turns: z.array(text).min(1).optional(),
    checks: z.array(checkSchema).min(1, { error: 'a scenario needs at least one check' }),
    files: z.record(relativePath, z.string()).optional(),
    tool_results: z.record(z.string().min(1), toolResultSchema).optional(),
    /** Answers to the agent's questions, in order; the last one repeats. */
    answers: z.array(text).min(1).optional(),
    toolsets: z.array(text).min(1).optional(),
    tools: toolPolicySchema.optional(),
    max_turns: z.int().min(1).max(90).optional(),
    note: z.string().optional(),
  })
  .refine((s) => (s.input === undefined) !== (s.turns === undefined), {
    error: 'needs either input or turns, not both',
  });
export type ScenarioSpec = z.infer<typeof scenarioSpecSchema>;

export const splitSchema = z.enum(['train', 'holdout']);
export const scenarioNameSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/, {
  error: 'must be 1 to 80 letters, digits, dots, dashes or underscores, starting with a letter or digit',
});

/** A scenario as it stands in a YAML file: name, split and group beside the body. */
export const scenarioFileEntryHead = z.object({
  name: scenarioNameSchema,
  split: splitSchema.default('train'),
  group: scenarioNameSchema.optional(),
});

/** A scenario frozen into a plan or a result row; later edits do not reach it. */
export const scenarioSnapshotSchema = z.strictObject({
  id: z.int(),
  name: z.string(),
  split: splitSchema,
  group: z.string(),
  spec: scenarioSpecSchema,
});
export type ScenarioSnapshot = z.infer<typeof scenarioSnapshotSchema>;

export function userTurns(spec: ScenarioSpec): readonly string[] {
  return spec.turns ?? [spec.input ?? ''];
}

// ── Proposals ─────────────────────────────────────────────────────────────

export const structuredEditSchema = z.strictObject({
  operation: z.enum(['rewrite', 'insert', 'delete']),
  sentence: z.int().nonnegative(),
  text: z.string().default(''),
  // Shown on a terminal: what would steer one is taken out.
  rationale: z
    .string()
    .default('')
    .transform((said) => said.replaceAll(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ').trim()),
});

// ── Spool ─────────────────────────────────────────────────────────────────

/**
 * One line of the event spool. The shim writes it, the worker ingests it; both sides write the same bytes for
 * the same event: keys in this order, no spaces, non-ASCII escaped as Python's `json.dumps` does.
 */
export const SPOOL_FORMAT = 1;
/** Milliseconds since the epoch, up to the last time that a date can have. */
const spoolTime = z.int().min(0).max(8_640_000_000_000_000);
export const spoolHookEventSchema = z.strictObject({
  v: z.literal(SPOOL_FORMAT),
  id: z.string().min(1),
  hook: z.enum(['pre_llm_call', 'post_llm_call']),
  session_id: z.string().min(1),
  turn_id: z.string().nullable(),
  home: z.string().min(1),
  is_first_turn: z.boolean().nullable(),
  model: z.string().nullable(),
  platform: z.string().nullable(),
  write_origin: z.string().nullable(),
  trial: z.boolean(),
  at: spoolTime,
});
export type SpoolHookEvent = z.infer<typeof spoolHookEventSchema>;

export const spoolProcessEventSchema = z.strictObject({
  v: z.literal(SPOOL_FORMAT),
  id: z.string().min(1),
  hook: z.literal('process'),
  pid: z.int(),
  home: z.string().min(1),
  build: z.string().nullable(),
  version: z.string(),
  host_version: z.string().nullable(),
  argv: z.string(),
  at: spoolTime,
});
export type SpoolProcessEvent = z.infer<typeof spoolProcessEventSchema>;

export const spoolEventSchema = z.discriminatedUnion('hook', [
  spoolHookEventSchema.extend({ hook: z.literal('pre_llm_call') }),
  spoolHookEventSchema.extend({ hook: z.literal('post_llm_call') }),
  spoolProcessEventSchema,
]);
export type SpoolEvent = z.infer<typeof spoolEventSchema>;
