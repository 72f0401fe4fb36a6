import type { Relocation } from '../services/relocate.js';
import { wrap, type Look } from './look.js';

/** Which profile lies where now; `asked`: before a person has agreed. */
export function relocationText(look: Look, relocation: Relocation, form: 'asked' | 'done'): string {
  const { moves, missing, notes } = relocation;
  const { green, yellow } = look.colors;
  const mark = form === 'asked' ? ' ' : green('✓');
  const line = (text: string) => wrap(text, { width: look.width, indent: 2 });
  return [
    ...moves.map(({ name, from, to, newName }) =>
      line(`${mark} ${name === newName ? name : `${name}, now ${newName}`}: from ${from} to ${to}`),
    ),
    ...missing.map(({ name, rootPath }) => line(`${yellow('!')} ${name} is not there and stays as it is: ${rootPath}`)),
    ...notes.map((note) => line(`${yellow('!')} ${note}`)),
    ...(form === 'done' && moves.length > 0 ? [line('Experiments, baselines and windows go on there.')] : []),
  ].join('\n');
}
