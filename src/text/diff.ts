import type { DiffPart, DiffView } from '../services/diffView.js';
import { field, wrap, type Look } from './look.js';

/** The sentence with what goes struck out and what comes marked: in colour, else as `[-old-]` and `{+new+}`. */
export function wordsText(look: Look, parts: readonly DiffPart[]): string {
  const { colors } = look;
  const text = parts
    .map(({ kind, text }) => {
      if (kind === 'same') return text;
      if (colors.isColorSupported) {
        return kind === 'added' ? colors.green(colors.underline(text)) : colors.red(colors.strikethrough(text));
      }
      return kind === 'added' ? `{+${text}+}` : `[-${text}-]`;
    })
    .join('');
  return wrap(text, { width: look.width });
}

const OPERATIONS = { rewrite: 'rewrites', insert: 'inserts after', delete: 'deletes' } as const;

/** `rewrites sentence 3 of SOUL.md`. */
export function whatItDoes(view: Pick<DiffView, 'operation' | 'sentenceNumber' | 'file'>): string {
  if (view.operation === null) return `is being drafted for ${view.file}`;
  const where =
    view.operation === 'insert' && view.sentenceNumber === 0
      ? 'inserts at the top'
      : `${OPERATIONS[view.operation]} sentence ${view.sentenceNumber ?? '?'}`;
  return `${where} of ${view.file}`;
}

/** Before and after, as two fields. */
export function beforeAfter(look: Look, view: Pick<DiffView, 'before' | 'after' | 'operation'>): string[] {
  if (view.operation === null) return [];
  return [
    field(look, 'before', view.before ?? '(nothing)'),
    field(look, 'after', view.after === null || view.after === '' ? '(removed)' : view.after),
  ];
}

export function diffText(look: Look, view: DiffView): string {
  const title = `Experiment ${view.experiment} ${whatItDoes(view)}.`;
  if (view.operation === null) return title;
  const unified = view.unified
    .split('\n')
    .map((line) =>
      line.startsWith('+') ? look.colors.green(line) : line.startsWith('-') ? look.colors.red(line) : line,
    )
    .join('\n');
  return [title, '', wordsText(look, view.words), '', unified.trimEnd()].join('\n');
}
