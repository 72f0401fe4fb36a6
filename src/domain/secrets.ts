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
  if (isPath(value)) return false;
  return (SECRET_NAME.test(name) && !NO_SECRET_NAME.test(name)) || looksRandom(value);
}

/** As `PWD`, `SSH_AUTH_SOCK` and `XAUTHORITY` hold one. */
function isPath(value: string): boolean {
  return /^~?(\/[\w.@+-]+)+\/?$/.test(value) && !value.split('/').some(looksRandom);
}

/** As keys do, and addresses, paths, versions and names of models do not. */
function looksRandom(value: string): boolean {
  if (!/^[A-Za-z0-9_+=-]{24,}$/.test(value) || !/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  return (value.match(/[a-z][A-Z]|[A-Z][a-z]|\d[A-Za-z]|[A-Za-z]\d/g)?.length ?? 0) >= 5;
}

/** The forms in which a value travels: as it is, in JSON, in a URL, in Base64. */
function formsOf(value: string): string[] {
  const json = JSON.stringify(value).slice(1, -1);
  const url = encodeURIComponent(value);
  return [
    ...[value, json, json.replaceAll(/[^ -~]/g, asciiEscape), JSON.stringify(json).slice(1, -1)],
    ...[url, url.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()), url.replaceAll('%20', '+')],
    ...base64Of(value),
  ];
}

function asciiEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Whole, and what of it stands in the Base64 of any text around it, which depends on the bytes before it by three. */
function base64Of(value: string): string[] {
  const bytes = Buffer.from(value);
  const inner = [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return text.slice([0, 2, 3][before], (before + bytes.length) % 3 === 0 ? undefined : -1);
  });
  const forms = [bytes.toString('base64'), ...inner].filter((form) => form.length >= SHORTEST_SECRET);
  return forms.flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

/** `find` is asked once, when a text comes that has to be looked at. */
export function makeScrubber(find: () => Iterable<string>): Scrubber {
  let known: readonly string[] | null = null;
  const load = () => (known ??= [...new Set([...find()].flatMap(formsOf))].sort((a, b) => b.length - a.length));
  const text = (given: string): string => {
    if (given.length < SHORTEST_SECRET) return given;
    const forms = load();
    let clean = given;
    // Looking for each of many texts is much faster than one pattern of all of them.
    for (const form of forms) if (clean.includes(form)) clean = clean.replaceAll(form, SCRUBBED);
    return withoutPieces(clean, forms);
  };
  const deep = <T>(value: T): T => deepMap(value, text) as T;
  return { text, deep, error: (error) => scrubbedError(error, { text, deep }) };
}

/** For surroundings without secrets, as in tests. */
export const NO_SECRETS: Scrubber = { text: (text) => text, deep: (value) => value, error: (error) => error };

/** Where somebody shortened a text. */
const CUT = /(…|\.{3,})/;
/** What may stand between a cut and the text that was cut. */
const [CLOSING, OPENING] = ['."\' \n)]},;', '"\' \n([{'];

interface Known {
  /** Longest first. */
  readonly forms: readonly string[];
  readonly longest: number;
}

/** Whoever cut the text to a length may have cut through a secret: its part before or behind the cut goes too. */
function withoutPieces(text: string, forms: readonly string[]): string {
  const known = { forms, longest: forms[0]?.length ?? 0 };
  const pieces = text.split(CUT).map((piece, index) => {
    if (index % 2 === 1 || piece.length < SHORTEST_SECRET) return piece;
    return withoutEnding(withoutBeginning(piece, known), known);
  });
  return pieces.join('');
}

/** Without the end of a secret at the beginning of the text. */
function withoutBeginning(text: string, { forms, longest }: Known): string {
  let start = 0;
  while (start < text.length && OPENING.includes(text.charAt(start))) start++;
  const head = text.slice(start, start + longest);
  for (const form of forms) {
    const at = head.indexOf(form.slice(-SHORTEST_SECRET));
    const length = at + SHORTEST_SECRET;
    if (at < 0 || length >= form.length || !form.endsWith(head.slice(0, length))) continue;
    return text.slice(0, start) + SCRUBBED + text.slice(start + length);
  }
  return text;
}

/** Without the beginning of a secret at the end of the text. */
function withoutEnding(text: string, { forms, longest }: Known): string {
  let end = text.length;
  while (end > 0 && CLOSING.includes(text.charAt(end - 1))) end--;
  const tail = text.slice(Math.max(0, end - longest), end);
  for (const form of forms) {
    const at = tail.lastIndexOf(form.slice(0, SHORTEST_SECRET));
    if (at < 0 || tail.length - at >= form.length || !form.startsWith(tail.slice(at))) continue;
    return text.slice(0, end - (tail.length - at)) + SCRUBBED + text.slice(end);
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
