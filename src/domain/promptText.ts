/** What Python's `str.strip` removes; unlike `trim`, it leaves the byte order mark and takes the separators 1C to 1F. */
const EDGES = '[\\t\\n\\v\\f\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const LEADING = new RegExp(`^${EDGES}`);
const TRAILING = new RegExp(`${EDGES}$`);
const BOM = '\ufeff';

function strip(text: string): string {
  return text.replace(LEADING, '').replace(TRAILING, '');
}

/**
 * A context file's text as the host puts it into the system prompt: line ends made "\n" (it reads in text mode),
 * stripped, one leading byte order mark dropped, stripped again where the prompt's parts are joined.
 */
export function asHostReads(text: string): string {
  const stripped = strip(text.replace(/\r\n?/g, '\n'));
  return strip(stripped.startsWith(BOM) ? stripped.slice(1) : stripped);
}

/** The host joins the parts of a prompt by an empty line, so a file's text ends there or with the prompt. */
const PART_END = '\n\n';

function occursAt(prompt: string, text: string, start: number): boolean {
  if (start < 0 || text === '') return false;
  const end = start + text.length;
  return prompt.startsWith(text, start) && (end === prompt.length || prompt.startsWith(PART_END, end));
}

function occurs(prompt: string, text: string): boolean {
  for (let at = prompt.indexOf(text); at !== -1; at = prompt.indexOf(text, at + 1)) {
    if (occursAt(prompt, text, at)) return true;
  }
  return false;
}

/** SOUL.md is the first part of the prompt; any other context file stands somewhere behind it. */
function headsPrompt(file: string): boolean {
  return file === 'SOUL.md';
}

export interface KnownText {
  readonly sha256: string;
  /** As it stands in the file. */
  readonly text: string;
}

/**
 * Which of the known texts of `file` a stored system prompt carries; null when none.
 * Where one text begins with another, as after an added last sentence, the longer match is the one that was read.
 */
export function textInPrompt(prompt: string, file: string, known: readonly KnownText[]): KnownText | null {
  const byLength = known
    .map((entry) => ({ entry, text: asHostReads(entry.text) }))
    .filter(({ text }) => text !== '')
    .sort((a, b) => b.text.length - a.text.length);
  const found = byLength.find(({ text }) => (headsPrompt(file) ? occursAt(prompt, text, 0) : occurs(prompt, text)));
  return found?.entry ?? null;
}

/** What the host did to a context file instead of taking it as it is. */
export interface PromptFault {
  readonly kind: 'blocked' | 'truncated';
  /** Characters that the host took at most; null for a blocked file. */
  readonly limitChars: number | null;
}

/** The host keeps this share of its limit from the head of a file that it truncates. */
const HEAD_SHARE = 0.7;

/** Whether the host replaced `file` by its notice of a finding, or cut its middle out, in this prompt; else null. */
export function promptFault(prompt: string, file: string): PromptFault | null {
  const blocked = `[BLOCKED: ${file} contained`;
  if (headsPrompt(file) ? prompt.startsWith(blocked) : prompt.includes(blocked)) {
    return { kind: 'blocked', limitChars: null };
  }
  const marker = `[...truncated ${file}: kept `;
  const at = prompt.indexOf(marker);
  if (at === -1) return null;
  const head = Number.parseInt(prompt.slice(at + marker.length), 10);
  return { kind: 'truncated', limitChars: Number.isNaN(head) ? null : Math.ceil(head / HEAD_SHARE) };
}

/** Whether a text would have met the same fault, so that an edit of it is not to blame. Length in characters. */
export function sharesFault(fault: PromptFault, text: string): boolean {
  return fault.kind === 'truncated' && fault.limitChars !== null && [...asHostReads(text)].length > fault.limitChars;
}
