import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { isUtf8 } from 'node:buffer';
import type { ExperimentRow } from '../store/experiments.js';
import type { Context } from './context.js';
import { ownExperiment } from './ownExperiment.js';
import { requireConflict, threeWay, type ThreeWay } from './resolve.js';

/** A conflict as it is shown before it is decided: whose lines are whose, and what each choice does. */
export interface ConflictView {
  readonly experiment: number;
  readonly state: ExperimentRow['state'];
  readonly file: string;
  readonly status: ThreeWay['status'];
  /** The sentence that was applied is in the file as it is now. */
  readonly editStillThere: boolean;
  /** What the experiment did, from the prior text to the applied one: a unified diff. */
  readonly applied: string;
  /** What the person did since, from the applied text to the file; null when the file is gone or no text. */
  readonly person: string | null;
  readonly keepMine: { readonly says: string };
  readonly restore: {
    readonly says: string;
    /** What would change in the file; null when it is gone or no text. */
    readonly diff: string | null;
  };
}

/** Changes no file. @throws KarpathyError `unknown_experiment`; `wrong_state` when nothing is to be resolved */
export function conflictView(ctx: Context, id: number): ConflictView {
  const experiment = ownExperiment(ctx, id);
  requireConflict(ctx, experiment);
  const { relpath: file, status, base, applied, current } = threeWay(ctx, id);
  const text = current !== null && isUtf8(current) ? current.toString('utf8') : null;
  const diff = (from: string | null, to: string | null, names: [string, string]) =>
    from === null || to === null
      ? null
      : createTwoFilesPatch(`${file} (${names[0]})`, `${file} (${names[1]})`, from, to, undefined, undefined, {
          context: 1,
          headerOptions: FILE_HEADERS_ONLY,
        });
  const [before, edit] = [base.toString('utf8'), applied.toString('utf8')];
  const sentence = experiment.sentenceAfter ?? '';
  return {
    experiment: id,
    state: experiment.state,
    file,
    status,
    editStillThere: sentence !== '' && (text?.includes(sentence) ?? false),
    applied: diff(before, edit, ['before', 'applied']) ?? '',
    person: diff(edit, text, ['applied', 'now']),
    keepMine: { says: keepMineSays(experiment, status) },
    restore: { says: restoreSays(experiment, status), diff: diff(text, before, ['now', 'restored']) },
  };
}

function keepMineSays({ id, state, targetRelpath }: ExperimentRow, status: ThreeWay['status']): string {
  const file = status === 'missing' ? `${targetRelpath} stays away` : `${targetRelpath} stays as it is, byte for byte`;
  return state === 'verified'
    ? `${file}; experiment ${id} stays verified.`
    : `${file}, and is what the next change starts from; experiment ${id} ends as superseded by a person.`;
}

function restoreSays({ id, targetRelpath }: ExperimentRow, status: ThreeWay['status']): string {
  const kept =
    status === 'missing' ? '' : `; what is there now is kept as a snapshot (\`snapshot ${id} --kind person\`)`;
  return `${targetRelpath} gets the exact bytes from before experiment ${id}${kept}; the experiment ends as reverted.`;
}
