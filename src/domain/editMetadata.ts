import { createTwoFilesPatch, FILE_HEADERS_ONLY, structuredPatch } from 'diff';
import type { EditMetadata } from './edit.js';
import type { EditOperation } from './experiment.js';

export interface DescribedEdit {
  readonly operation: EditOperation;
  readonly base: string;
  readonly candidate: string;
  readonly span: { readonly start: number; readonly end: number };
  readonly before: string | null;
  readonly after: string | null;
  /** Name of the file in the diff's header. */
  readonly path: string;
}

const DELTA = { rewrite: 0, insert: 1, delete: -1 } as const satisfies Record<EditOperation, number>;

export function describeEdit(edit: DescribedEdit): EditMetadata {
  const { base, candidate, path } = edit;
  const patch = structuredPatch(path, path, base, candidate, undefined, undefined, { context: 0 });
  const lines = patch.hunks.flatMap((hunk) => hunk.lines);
  return {
    changedHunks: patch.hunks.length,
    addedLines: lines.filter((line) => line.startsWith('+')).length,
    removedLines: lines.filter((line) => line.startsWith('-')).length,
    sentenceDeltaCount: DELTA[edit.operation],
    targetSpan: { start: edit.span.start, end: edit.span.end },
    sentenceBefore: edit.before,
    sentenceAfter: edit.after,
    diff: createTwoFilesPatch(`a/${path}`, `b/${path}`, base, candidate, undefined, undefined, {
      context: 3,
      headerOptions: FILE_HEADERS_ONLY,
    }),
    editKey: editKey(edit.operation, edit),
  };
}

/**
 * What makes two edits the same: the operation and the words it takes away and puts in, whatever their white space,
 * punctuation and markup. Where a sentence is inserted does not make it another one. Case counts.
 */
export function editKey(
  operation: EditOperation,
  words: { readonly before: string | null; readonly after: string | null },
): string {
  return [operation, bare(words.before), bare(words.after)].join('|');
}

function bare(text: string | null): string {
  if (text === null) return '';
  const kept = text
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}\p{M}]+/gu, ' ')
    .trim();
  // A sentence of symbols alone has nothing else to be known by.
  return kept === '' ? text.replace(/\s+/g, '') : kept;
}
