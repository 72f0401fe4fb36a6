import { Ajv } from 'ajv';
import { RE2JS } from 're2js';
import type { CheckResult, TrialEvidence } from '../ports.js';
import { checkKind, type Check } from '../schemas.js';

/** Grades one answer against a rubric; src/evaluation/judge.ts makes one. */
export type RubricJudge = (input: { readonly rubric: string; readonly evidence: TrialEvidence }) => Promise<Grade>;

export interface Grade {
  readonly passed: boolean;
  readonly rationale: string;
}

type Outcome = { readonly passed: boolean; readonly detail: string };

/**
 * Looks at what a trial left behind. All checks run, so that a person sees every failure at once; the judge is asked
 * only when everything else passed, since nothing it says could change the outcome then.
 *
 * @param judge null when no check asks for one
 * @throws whatever the judge throws: a judge that is down is a fault of the trial, not a failed check
 */
export async function runChecks(
  checks: readonly Check[],
  evidence: TrialEvidence,
  judge: RubricJudge | null,
): Promise<CheckResult[]> {
  const results: CheckResult[] = checks
    .filter((check) => check.judge === undefined)
    .map((check) => ({ kind: checkKind(check), check, ...runPureCheck(check, evidence) }));
  const decided = results.some((result) => !result.passed) || evidence.limitReached !== null;
  for (const check of checks) {
    if (check.judge === undefined) continue;
    if (decided) {
      results.push({ kind: 'judge', check, passed: false, detail: 'not asked: the trial had failed already' });
      continue;
    }
    if (judge === null) throw new TypeError('a scenario asks for a judge and the run has none');
    const grade = await judge({ rubric: check.judge, evidence });
    results.push({ kind: 'judge', check, passed: grade.passed, detail: grade.rationale });
  }
  return results;
}

/** Every kind but `judge`. */
export function runPureCheck(check: Check, evidence: TrialEvidence): Outcome {
  const { response, toolCalls } = evidence;
  const called = (name: string): number => toolCalls.filter((call) => call.name === name).length;
  if (check.must_contain !== undefined) {
    return verdict(response.includes(check.must_contain), `the answer contains ${quote(check.must_contain)}`);
  }
  if (check.must_not_contain !== undefined) {
    return verdict(
      !response.includes(check.must_not_contain),
      `the answer leaves out ${quote(check.must_not_contain)}`,
    );
  }
  if (check.regex !== undefined) {
    return verdict(RE2JS.compile(check.regex).matcher(response).find(), `the answer matches ${check.regex}`);
  }
  if (check.json_schema !== undefined) return matchesSchema(check.json_schema, response);
  if (check.max_tokens !== undefined) return atMost(evidence.outputTokens, check.max_tokens, 'output tokens');
  if (check.tool_used !== undefined) return verdict(called(check.tool_used) > 0, `${check.tool_used} was called`);
  if (check.tool_not_used !== undefined) {
    return verdict(called(check.tool_not_used) === 0, `${check.tool_not_used} was not called`);
  }
  if (check.max_tool_calls !== undefined) return atMost(toolCalls.length, check.max_tool_calls, 'tool calls');
  if (check.asked_user !== undefined) {
    const asked = evidence.questionsAsked > 0;
    return { passed: asked === check.asked_user, detail: asked ? 'it asked the user' : 'it did not ask the user' };
  }
  if (check.file_equals !== undefined) return fileEquals(check.file_equals, evidence.files);
  if (check.max_cost !== undefined) return atMost(evidence.costUsd, check.max_cost, 'USD');
  throw new TypeError('the judge is not a pure check');
}

function verdict(passed: boolean, claim: string): Outcome {
  return { passed, detail: passed ? claim : `not so: ${claim}` };
}

/** A figure without a source fails the check: it can't be shown to hold. */
function atMost(found: number | null, limit: number, unit: string): Outcome {
  if (found === null) return { passed: false, detail: `the ${unit} of this trial are not known` };
  return { passed: found <= limit, detail: `${found} ${unit}, ${limit} allowed` };
}

function fileEquals(
  expected: { readonly path: string; readonly content: string },
  files: ReadonlyMap<string, string | null>,
): Outcome {
  const found = files.get(expected.path) ?? null;
  if (found === null) return { passed: false, detail: `there is no file ${expected.path}` };
  return verdict(found === expected.content, `${expected.path} has the expected content`);
}

function matchesSchema(schema: Record<string, unknown>, response: string): Outcome {
  const document = jsonIn(response);
  if (document === undefined) return { passed: false, detail: 'the answer holds no JSON document' };
  const ajv = new Ajv({ strict: false, allErrors: true });
  const validate = ajv.compile(schema);
  if (validate(document.value)) return { passed: true, detail: 'the answer fits the schema' };
  return { passed: false, detail: ajv.errorsText(validate.errors, { dataVar: 'answer' }) };
}

/** The answer itself as JSON, else its only fenced block, else nothing. */
function jsonIn(response: string): { readonly value: unknown } | undefined {
  const fenced = [...response.matchAll(/```(?:json)?[^\S\n]*\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  const candidates = fenced.length === 1 ? [response, fenced[0] ?? ''] : [response];
  for (const text of candidates) {
    try {
      return { value: JSON.parse(text) as unknown };
    } catch {
      // The next candidate.
    }
  }
  return undefined;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}
