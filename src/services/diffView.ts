import { diffWordsWithSpace } from 'diff';
import type { ExperimentRow } from '../store/experiments.js';

export interface DiffPart {
  readonly kind: 'same' | 'added' | 'removed';
  readonly text: string;
}

/** One edit as it is shown: the sentence by words, and the file by lines. */
export interface DiffView {
  readonly experiment: number;
  readonly file: string;
  readonly operation: ExperimentRow['operation'];
  readonly sentenceNumber: number | null;
  readonly before: string | null;
  readonly after: string | null;
  /** The sentence by words; empty while the edit is being drafted. */
  readonly words: readonly DiffPart[];
  /** Unified diff of the target file. */
  readonly unified: string;
}

/** What changes between two texts, by words; white space belongs to the words around it. */
export function wordDiff(before: string, after: string): DiffPart[] {
  return diffWordsWithSpace(before, after).map(({ added, removed, value }) => ({
    kind: added ? 'added' : removed ? 'removed' : 'same',
    text: value,
  }));
}

export function diffView(experiment: ExperimentRow): DiffView {
  const { sentenceBefore: before, sentenceAfter: after } = experiment;
  return {
    experiment: experiment.id,
    file: experiment.targetRelpath,
    operation: experiment.operation,
    sentenceNumber: experiment.sentenceNumber,
    before,
    after,
    words: before === null && after === null ? [] : wordDiff(before ?? '', after ?? ''),
    unified: experiment.diff,
  };
}
