import type { StructuredEdit } from '../domain/edit.js';
import { KarpathyError } from '../errors.js';
import { problemsOf } from '../problems.js';
import { structuredEditSchema } from '../schemas.js';

/**
 * Reads a model's answer: leniently for the one JSON object in it (models add fences and remarks), strictly for
 * what the object says.
 * @throws KarpathyError `bad_edit` with a reason the model can act on
 */
export function readProposalAnswer(answer: string): StructuredEdit {
  const found = firstObject(answer);
  if (found === undefined) throw new KarpathyError('bad_edit', 'The answer holds no JSON object.');
  const parsed = structuredEditSchema.safeParse(found);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, found, { prefix: '', schema: structuredEditSchema });
  const list = problems.map((p) =>
    [p.path, p.value, p.message].filter((part) => part !== undefined && part !== '').join(' '),
  );
  throw new KarpathyError('bad_edit', `The JSON object is not an edit: ${list.join('; ')}.`, { problems });
}

/** The first balanced `{…}` that parses. */
export function firstObject(text: string): unknown {
  for (let start = text.indexOf('{'); start !== -1; start = text.indexOf('{', start + 1)) {
    const end = closingBrace(text, start);
    if (end === -1) continue;
    try {
      return JSON.parse(text.slice(start, end + 1)) as unknown;
    } catch {
      // Prose with braces; the object may come later.
    }
  }
  return undefined;
}

function closingBrace(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = start; i < text.length; i += 1) {
    const char = text[i];
    if (quoted) {
      if (char === '\\') i += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{') depth += 1;
    else if (char === '}') {
      depth -= 1;
      if (depth === 0) return i;
    }
  }
  return -1;
}
