import type { EditOperation } from './experiment.js';

/** One sentence of the target file. Offsets are UTF-16 code units into the text without its BOM. */
export interface Sentence {
  /** 1-based; what the proposer and the person see. */
  readonly number: number;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/**
 * The structured form of every edit, whoever wrote it.
 * `rewrite` and `delete` name the sentence they act on; `insert` names the one it comes after (0 = at the top).
 */
export interface StructuredEdit {
  readonly operation: EditOperation;
  readonly sentence: number;
  /** The new sentence; empty for `delete`. */
  readonly text: string;
  readonly rationale: string;
}

/** What is computed from an edit and its base, never claimed by a model. Column names in `experiments`. */
export interface EditMetadata {
  readonly changedHunks: number;
  readonly addedLines: number;
  readonly removedLines: number;
  /** -1 for a deletion, 0 for a rewrite, 1 for an insertion. */
  readonly sentenceDeltaCount: number;
  /** UTF-16 offsets in the base text that the edit replaces; empty (start = end) for an insertion. */
  readonly targetSpan: { readonly start: number; readonly end: number };
  readonly sentenceBefore: string | null;
  readonly sentenceAfter: string | null;
  /** Unified diff of the target file. */
  readonly diff: string;
  /** Equal for edits that differ in white space, case of nothing, or punctuation only. */
  readonly editKey: string;
}

export interface AppliedEdit {
  readonly candidate: string;
  readonly metadata: EditMetadata;
}
