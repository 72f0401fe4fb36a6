import * as z from 'zod';

/** The schemas that a value may have to fit: of an optional one what is inside, of a union each. */
function alternatives(schema: unknown): unknown[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault) {
    return alternatives(schema.def.innerType);
  }
  return schema instanceof z.ZodUnion ? schema.def.options.flatMap(alternatives) : [schema];
}

function below(schema: unknown, key: PropertyKey): unknown[] {
  if (schema instanceof z.ZodObject) return alternatives((schema.shape as Record<PropertyKey, unknown>)[key]);
  if (schema instanceof z.ZodRecord) return alternatives(schema.def.valueType);
  return schema instanceof z.ZodArray ? alternatives(schema.def.element) : [];
}

/** The keys that a schema knows at a path, in the order they are written there. */
export function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let here = alternatives(schema);
  for (const key of path) here = here.flatMap((one) => below(one, key));
  return [...new Set(here.flatMap((one) => (one instanceof z.ZodObject ? Object.keys(one.shape as object) : [])))];
}

/** What follows "is not a known key": the one that was meant, else all there are. */
export function insteadOf(key: string, known: readonly string[]): string {
  if (known.length === 0) return '';
  const near = known
    .map((name) => ({ name, off: distance(plain(key), plain(name)) }))
    .sort((a, b) => a.off - b.off)
    .at(0);
  if (near !== undefined && near.off <= Math.max(1, Math.floor(near.name.length / 4))) {
    return `; did you mean ${near.name}?`;
  }
  return `; there are: ${known.join(', ')}`;
}

function plain(key: string): string {
  return key.toLowerCase().replaceAll('-', '_');
}

/** How many letters are other, missing or too many (Levenshtein); long words are not looked at to their end. */
function distance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 40), b.slice(0, 40)];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const kept = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(kept, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
