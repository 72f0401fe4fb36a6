import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';

/** What the slot guard wrote about one trial; host/slot_guard/__init__.py is the other side. */
const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('ready'), policy: z.string() }),
  z.object({
    event: z.literal('tool'),
    id: z.string(),
    name: z.string(),
    args: z.unknown(),
    handling: z.enum(['real', 'simulated', 'blocked']),
  }),
  z.object({ event: z.literal('model_start'), endpoint: z.string().default('') }),
  z.object({
    event: z.literal('model_end'),
    model: z.string(),
    response_id: z.string(),
    ms: z.number(),
    input_tokens: z.number().nullable(),
    output_tokens: z.number().nullable(),
    cost: z.number().nullable(),
  }),
  z.object({ event: z.literal('model_error'), type: z.string(), status: z.number().nullable(), message: z.string() }),
  z.object({ event: z.literal('ended'), code: z.number(), reason: z.string() }),
]);
export type Handling = 'real' | 'simulated' | 'blocked';
type GuardEvent = z.infer<typeof eventSchema>;

export interface Unanswered {
  /** Scheme, name and port of where it went. */
  readonly endpoint: string;
  /** The provider refused it or broke, and the host was about to try again; else it was still waited for. */
  readonly failed: boolean;
}

export interface GuardRecord {
  readonly ready: boolean;
  /** How often a host was started with it. */
  readonly starts: number;
  /** The tool calls in the order in which the guard saw them; ids may repeat. */
  readonly handled: readonly { readonly id: string; readonly name: string; readonly handling: Handling }[];
  readonly questions: number;
  readonly modelCallsStarted: number;
  readonly modelCallsEnded: number;
  /** The last call of the model while it has no answer; null when it has one. */
  readonly unanswered: Unanswered | null;
  /** Model name as the provider's last answer states it. */
  readonly model: string | null;
  readonly totalTokens: number;
  /** Ids of the provider's responses, where the host passes them on. */
  readonly responseIds: readonly string[];
  /** Time within calls of the model that came to an end. */
  readonly modelMs: number;
  /** Sum of the prices that the provider named; null unless it named one for every call. */
  readonly providerCostUsd: number | null;
  readonly errors: readonly { readonly status: number | null; readonly message: string }[];
  readonly ended: { readonly code: number; readonly reason: string } | null;
}

function unanswered(events: readonly GuardEvent[]): Unanswered | null {
  const calls = events.filter(({ event }) => event.startsWith('model_'));
  const last = calls.at(-1);
  const started = calls.findLast((event) => event.event === 'model_start');
  if (last === undefined || last.event === 'model_end' || started === undefined) return null;
  return { endpoint: started.endpoint, failed: last.event === 'model_error' };
}

/** A last line that a killed process left torn is skipped. */
export function readGuardRecord(path: string): GuardRecord {
  const events = existsSync(path) ? readFileSync(path, 'utf8').split('\n').flatMap(parseLine) : [];
  const of = <K extends GuardEvent['event']>(kind: K) =>
    events.filter((event): event is Extract<GuardEvent, { event: K }> => event.event === kind);
  const tools = of('tool');
  const ends = of('model_end');
  const priced = ends.filter((end) => end.cost !== null);
  return {
    ready: of('ready').length > 0,
    starts: of('ready').length,
    handled: tools.map(({ id, name, handling }) => ({ id, name, handling })),
    questions: tools.filter((tool) => tool.name === 'clarify').length,
    modelCallsStarted: of('model_start').length,
    modelCallsEnded: ends.length,
    unanswered: unanswered(events),
    model: ends.at(-1)?.model || null,
    totalTokens: ends.reduce((sum, end) => sum + (end.input_tokens ?? 0) + (end.output_tokens ?? 0), 0),
    responseIds: ends.map((end) => end.response_id).filter((id) => id !== ''),
    modelMs: ends.reduce((sum, end) => sum + end.ms, 0),
    providerCostUsd:
      ends.length > 0 && priced.length === ends.length ? priced.reduce((sum, end) => sum + (end.cost ?? 0), 0) : null,
    errors: of('model_error'),
    ended: of('ended').at(-1) ?? null,
  };
}

function parseLine(line: string): GuardEvent[] {
  try {
    const parsed = eventSchema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}
