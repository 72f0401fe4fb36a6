import type * as z from 'zod';
import type { Problem } from './errors.js';
import { insteadOf, knownKeys } from './knownKeys.js';

/** Keys whose value might be a secret that was put in the wrong place; it is never repeated. */
const SECRET_KEY = /key|token(?!s$)|secret|password|credential/i;
const LONGEST = 80;

/** `['checks', 0, 'regex']` after the prefix `scenarios[2]` is `scenarios[2].checks[0].regex`. */
export function problemPath(prefix: string, path: readonly PropertyKey[]): string {
  let text = prefix;
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`;
    else text += text === '' ? String(key) : `.${String(key)}`;
  }
  return text;
}

/** Whether what stands under this name may be a secret; also when another one was asked for. */
export function mayBeSecret(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** A value as it was written, on one line and shortened; undefined for a mapping, an absent or a secret value. */
export function shownValue(value: unknown, key = ''): string | undefined {
  if (value === undefined || SECRET_KEY.test(key)) return undefined;
  if (typeof value === 'object' && value !== null) {
    if (!Array.isArray(value) || value.some((v) => typeof v === 'object' && v !== null)) return undefined;
  }
  const text = maskUserInfo(JSON.stringify(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/**
 * A URL may carry a name and a password before the host, and a key in its query: `https://user:word@host/x?key=y`
 * becomes `https://***@host/x?***`.
 */
export function maskUserInfo(text: string): string {
  return text
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s@"]*@/gi, '$1***@')
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s"?#]*[?#])[^\s"]+/gi, '$1***');
}

/**
 * Everything zod found, as problems with full path, value and allowed form; the deepest cause of a union. With the
 * `schema`, an unknown key is told what was meant, or what there is.
 */
export function problemsOf(error: z.ZodError, input: unknown, of: { prefix: string; schema?: z.ZodType }): Problem[] {
  const { prefix, schema } = of;
  return error.issues.flatMap((issue) => fromIssue(issue, { root: input, prefix, schema, at: issue.path }));
}

interface Place {
  readonly root: unknown;
  readonly prefix: string;
  readonly schema: z.ZodType | undefined;
  readonly at: readonly PropertyKey[];
}

function fromIssue(issue: z.core.$ZodIssue, place: Place): Problem[] {
  const { root, prefix, at } = place;
  if (issue.code === 'unrecognized_keys') {
    const known = place.schema === undefined ? [] : knownKeys(place.schema, at);
    return issue.keys.map((key) => ({
      path: problemPath(prefix, [...at, key]),
      message: `is not a known key${insteadOf(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_union') {
    const closest = closestBranch(issue.errors);
    if (closest !== undefined) {
      return closest.flatMap((inner) => fromIssue(inner, { ...place, at: [...at, ...inner.path] }));
    }
  }
  const value = shownValue(valueAt(root, at), String(at.at(-1) ?? ''));
  return [
    {
      path: problemPath(prefix, at),
      ...(value === undefined ? {} : { value }),
      message: issueMessage(issue),
    },
  ];
}

/** What is wrong and what is allowed, as it follows the name of a key. */
export function issueMessage(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return issue.issues.map((inner) => inner.message).join('; ');
  const message = issue.message.replace(/^Invalid (input|option|string): /, '');
  const missing = /^expected (.+), received undefined$/.exec(message);
  if (missing !== null) return `is missing (expected ${missing[1]})`;
  if (/^Too small: expected (string|array) to have >=1 /.test(message)) return 'must not be empty';
  const bound = /^Too (?:small|big): expected number to be (>=|<=|>|<)(.+)$/.exec(message);
  return bound === null ? message : `must be ${BOUNDS[bound[1] ?? '']} ${bound[2]}`;
}

const BOUNDS: Readonly<Record<string, string>> = { '>=': 'at least', '<=': 'at most', '>': 'above', '<': 'below' };

/** The one branch that was meant: all its complaints lie deeper than the value and none is about an extra key. */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  const meant = branches.filter((branch) => branch.every((issue) => issue.path.length > 0));
  return meant.length === 1 ? meant[0] : undefined;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let found = root;
  for (const key of path) {
    found = typeof found === 'object' && found !== null ? (found as Record<PropertyKey, unknown>)[key] : undefined;
  }
  return found;
}
