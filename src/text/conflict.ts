import type { ConflictView } from '../services/conflictView.js';
import { wrap, type Look } from './look.js';

const FOUND: Readonly<Record<ConflictView['status'], string>> = {
  as_applied: 'holds what was applied',
  as_base: 'holds the text from before the change again',
  edited: 'was edited since the change was applied',
  missing: 'is gone',
};

/** The three texts by their differences, and what each of the two choices would do. */
export function conflictText(look: Look, view: ConflictView): string {
  const { colors, width } = look;
  const part = (title: string, diff: string | null) => [
    '',
    colors.bold(title),
    diff === null ? '(no readable text is there now)' : coloured(look, diff),
  ];
  const kept =
    view.status !== 'edited'
      ? ''
      : view.editStillThere
        ? ' Its sentence is still there.'
        : ' Its sentence is not in it any more.';
  return [
    wrap(`${view.file} ${FOUND[view.status]} (experiment ${view.experiment}, ${view.state}).${kept}`, { width }),
    ...part('The change', view.applied),
    ...part('What was done to the file since', view.person),
    '',
    `${colors.bold('--keep-mine')}  ${wrap(view.keepMine.says, { width, indent: 13 })}`,
    `${colors.bold('--restore')}    ${wrap(view.restore.says, { width, indent: 13 })}`,
    ...(view.restore.diff === null ? [] : part('What --restore would change', view.restore.diff)),
  ].join('\n');
}

function coloured({ colors }: Look, unified: string): string {
  const lines = unified.split('\n').filter((line) => !/^(---|\+\+\+) /u.test(line));
  if (lines.join('').trim() === '') return '(nothing)';
  return lines
    .map((line) => (line.startsWith('+') ? colors.green(line) : line.startsWith('-') ? colors.red(line) : line))
    .join('\n')
    .trimEnd();
}
