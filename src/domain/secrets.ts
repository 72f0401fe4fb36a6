import { isKarpathyError, KarpathyError } from '../errors.js';

/** Takes secrets out of whatever is stored, logged, shown or sent. Text without any comes back as it is. */
export interface Scrubber {
  text(text: string): string;
  /** Every string in plain objects, arrays and maps; keys stay. */
  deep<T>(value: T): T;
  /** The same error without secrets; its cause is dropped with them. */
  error(error: unknown): unknown;
}

/** What stands in the place of a secret. */
export const SCRUBBED = '***';
/** Shorter values are placeholders, and cutting them out would garble what is around them. */
export const SHORTEST_SECRET = 8;

/** Names of settings and variables whose value is a secret. */
const SECRET_NAME =
  /key|token|secret|passw|pwd|passphrase|credential|auth|cookie|webhook|signature|private|dsn|salt|(^|_)(pass|pin|jwt|otp)(_|$)/i;
/** What such a name also stands for: names of other variables, files, addresses, numbers of tokens. */
const NO_SECRET_NAME =
  /(key|token)_?env$|(_|^)(file|path|dir|url|uri|host|port|name|type|mode|method)$|max_?tokens|tokens$/i;
const PLACEHOLDER =
  /^(not[-_ ]?needed|no[-_ ]?key.*|placeholder|simulated|change[-_ ]?me|required|optional|disabled|enabled|anonymous|undefined)$/i;

/** Whether a value that is called `name` is a secret. */
export function isSecret(name: string, value: string): boolean {
  if (value.length < SHORTEST_SECRET || PLACEHOLDER.test(value) || /^\$\{[^}]*\}$/.test(value)) return false;
  return (SECRET_NAME.test(name) && !NO_SECRET_NAME.test(name)) || looksRandom(value);
}

/** As keys do, and addresses, paths, versions and names of models do not. */
function looksRandom(value: string): boolean {
  if (!/^[A-Za-z0-9_+=-]{24,}$/.test(value) || !/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  return (value.match(/[a-z][A-Z]|[A-Z][a-z]|\d[A-Za-z]|[A-Za-z]\d/g)?.length ?? 0) >= 5;
}

/** The forms in which a value travels: as it is, in JSON, in a URL, in Base64. */
function formsOf(value: string): string[] {
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), Buffer.from(value).toString('base64')];
}

/** `find` is asked once, when a text comes that has to be looked at. */
export function makeScrubber(find: () => Iterable<string>): Scrubber {
  let known: { forms: readonly string[]; pattern: RegExp | null } | null = null;
  const load = () => {
    if (known !== null) return known;
    const forms = [...new Set([...find()].flatMap(formsOf))].sort((a, b) => b.length - a.length);
    const escaped = forms.map((form) => form.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    known = { forms, pattern: forms.length === 0 ? null : new RegExp(escaped.join('|'), 'g') };
    return known;
  };
  const text = (given: string): string => {
    if (given.length < SHORTEST_SECRET) return given;
    const { forms, pattern } = load();
    return pattern === null ? given : withoutStart(given.replaceAll(pattern, SCRUBBED), forms);
  };
  const deep = <T>(value: T): T => deepMap(value, text) as T;
  return { text, deep, error: (error) => scrubbedError(error, { text, deep }) };
}

/** For surroundings without secrets, as in tests. */
export const NO_SECRETS: Scrubber = { text: (text) => text, deep: (value) => value, error: (error) => error };

/** Whoever cut the text to a length may have cut through a secret: what begins one at its end goes too. */
function withoutStart(text: string, forms: readonly string[]): string {
  let end = text.length;
  while (end > 0 && '…."\' \n)]}'.includes(text.charAt(end - 1))) end--;
  const body = text.slice(0, end);
  for (const form of forms) {
    for (let length = Math.min(form.length - 1, body.length); length >= SHORTEST_SECRET; length--) {
      if (!body.endsWith(form.slice(0, length))) continue;
      return body.slice(0, -length) + SCRUBBED + text.slice(body.length);
    }
  }
  return text;
}

function deepMap(value: unknown, text: (text: string) => string): unknown {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return value.map((item) => deepMap(item, text));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, deepMap(item, text)]));
  if (value === null || typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, deepMap(item, text)]));
}

function scrubbedError(error: unknown, { text, deep }: Pick<Scrubber, 'text' | 'deep'>): unknown {
  if (!(error instanceof Error)) return typeof error === 'string' ? text(error) : error;
  const told = (of: Error) => [of.message, of.stack ?? '', of.cause instanceof Error ? (of.cause.stack ?? '') : ''];
  if (isKarpathyError(error)) {
    const { code, hint, problems, charged } = error;
    const shown = [...told(error), hint ?? '', JSON.stringify(problems)];
    if (shown.every((part) => text(part) === part)) return error;
    return new KarpathyError(code, text(error.message), {
      ...(hint === undefined ? {} : { hint: text(hint) }),
      problems: deep([...problems]),
      charged,
    });
  }
  if (told(error).every((part) => text(part) === part)) return error;
  const clean = Object.assign(new Error(text(error.message)), 'code' in error ? { code: error.code } : {});
  clean.name = error.name;
  return clean;
}
