import type { StructuredEdit } from '../domain/edit.js';
import { KarpathyError } from '../errors.js';

/** What a person may write to name an edit of their own; exactly one of the three. */
export interface WrittenEdit {
  readonly rewrite?: string | undefined;
  readonly insertAfter?: string | undefined;
  readonly delete?: string | undefined;
  readonly text?: string | undefined;
  readonly rationale?: string | undefined;
}

/**
 * The structured edit, or null when none was named (then the model proposes).
 * @throws KarpathyError `bad_usage` with every part that is wrong
 */
export function editFromWritten(written: WrittenEdit): StructuredEdit | null {
  const named = [
    { flag: '--rewrite', operation: 'rewrite', sentence: written.rewrite },
    { flag: '--insert-after', operation: 'insert', sentence: written.insertAfter },
    { flag: '--delete', operation: 'delete', sentence: written.delete },
  ] as const;
  const given = named.filter(({ sentence }) => sentence !== undefined);
  const [choice] = given;
  const text = written.text?.trim() ?? '';
  if (choice === undefined) {
    if (text === '') return null;
    throw new KarpathyError('bad_usage', 'A text was given, but not what to do with it.', {
      hint: 'Put --rewrite N or --insert-after N before it; `hermes karpathy sentences` shows the numbers.',
    });
  }
  const problems = [
    ...(given.length > 1
      ? [{ path: given.map(({ flag }) => flag).join(' '), message: 'only one edit at a time' }]
      : []),
    ...(/^\d{1,9}$/.test(choice.sentence ?? '')
      ? []
      : [{ path: choice.flag, value: choice.sentence ?? '', message: 'must be the number of a sentence' }]),
    ...(choice.operation !== 'delete' && text === ''
      ? [{ path: choice.flag, message: 'needs the new sentence after the number' }]
      : []),
    ...(choice.operation === 'delete' && text !== '' ? [{ path: choice.flag, message: 'takes no text' }] : []),
  ];
  if (problems.length > 0) {
    throw new KarpathyError('bad_usage', 'The edit is not complete.', {
      problems,
      hint: '`hermes karpathy sentences` shows the numbers.',
    });
  }
  return {
    operation: choice.operation,
    sentence: Number(choice.sentence),
    text: choice.operation === 'delete' ? '' : text,
    rationale: written.rationale ?? '',
  };
}
