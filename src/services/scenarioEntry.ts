import { Ajv } from 'ajv';
import { RE2JS } from 're2js';
import type { Split } from '../domain/experiment.js';
import type { Problem } from '../errors.js';
import { problemPath, problemsOf, shownValue } from '../problems.js';
import {
  checkKind,
  scenarioFileEntryHead,
  scenarioSpecSchema,
  userTurns,
  type Check,
  type ScenarioSpec,
} from '../schemas.js';

/** A scenario as a person writes it: name, split and group beside the body. */
export interface ScenarioEntry {
  readonly name: string;
  readonly split: Split;
  readonly group: string;
  readonly spec: ScenarioSpec;
}

export interface ParsedEntry {
  /** Null when there are problems. */
  readonly entry: ScenarioEntry | null;
  readonly problems: readonly Problem[];
}

/** One argument of a command line may hold 128 KiB on Linux; the user's turn is one. */
const LONGEST_TURN_BYTES = 100_000;

/**
 * Checks one scenario completely: the shape, that every regular expression and JSON schema compiles, that the turns
 * can be given to the agent, and that no two checks contradict each other. `at` is the path of the entry, for example
 * `scenarios[2]`; empty for a single one.
 */
export function parseEntry(written: unknown, at: string): ParsedEntry {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    const value = shownValue(written);
    const found = value === undefined ? {} : { value };
    return {
      entry: null,
      problems: [{ path: at || 'scenario', ...found, message: 'must be a mapping of keys to values' }],
    };
  }
  const { name, split, group, ...body } = written as Record<string, unknown>;
  const head = scenarioFileEntryHead.safeParse({ name, split, group });
  const spec = scenarioSpecSchema.safeParse(body);
  const problems = [
    ...(head.success ? [] : problemsOf(head.error, written, { prefix: at })),
    ...(spec.success ? [] : problemsOf(spec.error, written, { prefix: at, schema: scenarioSpecSchema })),
    ...compileProblems(body.checks, at),
    ...(spec.success ? meaningProblems(spec.data, at) : []),
  ];
  if (!head.success || !spec.success || problems.length > 0) return { entry: null, problems };
  return {
    entry: { name: head.data.name, split: head.data.split, group: head.data.group ?? head.data.name, spec: spec.data },
    problems: [],
  };
}

/** Looks at whatever checks have the right type, so that a broken regex is named even beside another mistake. */
function compileProblems(checks: unknown, at: string): Problem[] {
  if (!Array.isArray(checks)) return [];
  return checks.flatMap((check: unknown, index) => {
    if (typeof check !== 'object' || check === null) return [];
    const path = (key: string): string => problemPath(at, ['checks', index, key]);
    const { regex, json_schema: schema } = check as Record<string, unknown>;
    return [
      ...(typeof regex === 'string' ? regexProblem(regex, path('regex')) : []),
      ...(typeof schema === 'object' && schema !== null ? schemaProblem(schema, path('json_schema')) : []),
    ];
  });
}

function regexProblem(pattern: string, path: string): Problem[] {
  try {
    RE2JS.compile(pattern);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const value = shownValue(pattern);
    return [
      {
        path,
        ...(value === undefined ? {} : { value }),
        message: `is not a valid RE2 expression (no look-around, no back-references): ${reason}`,
      },
    ];
  }
}

function schemaProblem(schema: object, path: string): Problem[] {
  try {
    new Ajv({ strict: false, logger: false }).compile(schema);
    return [];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ path, message: `is not a valid JSON schema: ${reason}` }];
  }
}

function meaningProblems(spec: ScenarioSpec, at: string): Problem[] {
  return [...turnProblems(spec, at), ...policyProblems(spec, at), ...contradictions(spec.checks, at)];
}

function turnProblems(spec: ScenarioSpec, at: string): Problem[] {
  return userTurns(spec).flatMap((turn, index) => {
    const path = problemPath(at, spec.turns === undefined ? ['input'] : ['turns', index]);
    if (turn.includes('\0')) return [{ path, message: 'contains a NUL character, which cannot be given to the agent' }];
    const bytes = Buffer.byteLength(turn);
    return bytes > LONGEST_TURN_BYTES
      ? [{ path, message: `has ${bytes} bytes; a user turn may have at most ${LONGEST_TURN_BYTES}` }]
      : [];
  });
}

function policyProblems(spec: ScenarioSpec, at: string): Problem[] {
  const path = problemPath(at, ['tools']);
  if (spec.tools === 'real' && spec.toolsets === undefined) {
    return [{ path, value: '"real"', message: 'needs `toolsets`: the list of those that may really run' }];
  }
  return [];
}

/** Pairs of checks that no answer can satisfy together. */
function contradictions(checks: readonly Check[], at: string): Problem[] {
  const opposite = { must_contain: 'must_not_contain', tool_used: 'tool_not_used' } as const;
  return checks.flatMap((check, index) => {
    const kind = checkKind(check);
    if (kind !== 'must_contain' && kind !== 'tool_used') return [];
    const other = checks.findIndex((c) => c[opposite[kind]] === check[kind]);
    if (other < 0) return [];
    return [
      {
        path: problemPath(at, ['checks', other, opposite[kind]]),
        message: `contradicts checks[${index}]: both can never pass`,
      },
    ];
  });
}

/** The toolsets that would really run, sorted; empty unless the policy is `real`. */
export function realTools(spec: ScenarioSpec): string[] {
  return spec.tools === 'real' ? [...new Set(spec.toolsets ?? [])].sort() : [];
}

/** The entry as it stands in a YAML file. `group` is left out when it is the scenario's own name. */
export function writtenEntry(entry: ScenarioEntry): Record<string, unknown> {
  const { name, split, group, spec } = entry;
  return { name, split, ...(group === name ? {} : { group }), ...spec };
}
