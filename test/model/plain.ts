import type { ErrorCode } from '#src/errors.js';
import type { ExperimentState } from '#src/domain/experiment.js';

/** The lifecycle as one reads it in docs/ratchet.md: texts and states in plain values, no file, no DB, no git. */

export interface PlainExperiment {
  readonly id: number;
  readonly state: ExperimentState;
  readonly base: string;
  readonly candidate: string;
  readonly hasVerdict: boolean;
  /** A person's text stands where something wanted to write. */
  readonly conflict: boolean;
}

/** A change of the file that began and that nobody ended. */
export interface PlainOperation {
  readonly kind: 'apply' | 'revert' | 'restore';
  readonly id: number;
  readonly prior: string | null;
  readonly next: string;
}

export interface Plain {
  /** Null = there is none. */
  readonly file: string | null;
  /** Oldest first. */
  readonly experiments: readonly PlainExperiment[];
  readonly open: PlainOperation | null;
}

export type Deed = 'propose' | 'approve' | 'apply' | 'revert' | 'reject' | 'keep' | 'keepMine' | 'restore' | 'tick';

/** What a command makes of the world, and the code of its error; null when it is carried out. */
export interface Outcome {
  readonly after: Plain;
  readonly error: ErrorCode | null;
  /** The operation by which it changed the file. */
  readonly operation: PlainOperation | null;
}

const IN_FLIGHT: readonly ExperimentState[] = ['proposed', 'approved', 'live'];

const change = (plain: Plain, id: number, to: Partial<PlainExperiment>): Plain => ({
  ...plain,
  experiments: plain.experiments.map((one) => (one.id === id ? { ...one, ...to } : one)),
});

/** What every command does first: an operation that nobody ended is ended by what the file holds; windows look. */
export function prepared(plain: Plain): Plain {
  const settled = plain.open === null ? plain : settle({ ...plain, open: null }, plain.open);
  return settled.experiments
    .filter(({ state }) => state === 'live')
    .reduce((now, { id, candidate }) => change(now, id, { conflict: now.file !== candidate }), settled);
}

function settle(plain: Plain, open: PlainOperation): Plain {
  const done = { state: open.kind === 'apply' ? 'live' : 'reverted', conflict: false } as const;
  if (plain.file === open.next) return change(plain, open.id, done);
  if (plain.file !== open.prior) return change(plain, open.id, { conflict: true });
  return open.kind === 'apply' ? plain : change({ ...plain, file: open.next }, open.id, done);
}

const carriedOut = (after: Plain): Outcome => ({ after, error: null, operation: null });
const refused = (after: Plain, error: ErrorCode): Outcome => ({ after, error, operation: null });

function written(plain: Plain, operation: PlainOperation): Outcome {
  const state = operation.kind === 'apply' ? 'live' : 'reverted';
  const after = change({ ...plain, file: operation.next }, operation.id, { state, conflict: false });
  return { after, error: null, operation };
}

/** A command on one experiment of a prepared world. `propose` takes the text of the new sentence and its id. */
export function follow(plain: Plain, deed: Exclude<Deed, 'propose' | 'tick'>, id: number): Outcome {
  const one = plain.experiments.find((experiment) => experiment.id === id);
  if (one === undefined) return refused(plain, 'unknown_experiment');
  const { file } = plain;
  const { state, base, candidate } = one;
  const isApplied = state === 'live' || state === 'verified';
  switch (deed) {
    case 'approve':
      if (state !== 'proposed' || !one.hasVerdict) return refused(plain, 'wrong_state');
      return file === base ? carriedOut(change(plain, id, { state: 'approved' })) : refused(plain, 'stale');
    case 'apply':
      if (state !== 'approved') return refused(plain, 'wrong_state');
      if (file === null) return refused(plain, 'bad_target');
      return file === base
        ? written(plain, { kind: 'apply', id, prior: base, next: candidate })
        : refused(plain, 'stale');
    case 'reject':
      if (state !== 'proposed' && state !== 'approved') return refused(plain, 'wrong_state');
      return carriedOut(change(plain, id, { state: 'rejected' }));
    case 'revert':
      if (!isApplied) return refused(plain, 'wrong_state');
      if (file === candidate) return written(plain, { kind: 'revert', id, prior: candidate, next: base });
      // A later kept edit on top of this one is no conflict: that one is reverted first.
      return refused(holdsLater(plain, id) ? plain : change(plain, id, { conflict: true }), 'conflict');
    case 'keep':
      if (state !== 'live') return refused(plain, 'wrong_state');
      if (file !== candidate) return refused(change(plain, id, { conflict: true }), 'conflict');
      return carriedOut(change(plain, id, { state: 'verified', conflict: false }));
    case 'keepMine':
    case 'restore':
      return resolve(plain, deed, one);
  }
}

function holdsLater(plain: Plain, id: number): boolean {
  return plain.experiments.some(
    (later) =>
      later.id > id && (later.state === 'live' || later.state === 'verified') && plain.file === later.candidate,
  );
}

function resolve(plain: Plain, deed: 'keepMine' | 'restore', one: PlainExperiment): Outcome {
  const { id, state, base, candidate, conflict } = one;
  if (plain.file === candidate) return refused(change(plain, id, { conflict: false }), 'wrong_state');
  if (state !== 'live' && !(state === 'verified' && conflict)) return refused(plain, 'wrong_state');
  if (deed === 'restore') return written(plain, { kind: 'restore', id, prior: plain.file, next: base });
  return carriedOut(change(plain, id, state === 'live' ? { state: 'reverted', conflict: false } : { conflict: false }));
}

/** A new experiment that puts `sentence` at the end of what the file holds. */
export function propose(plain: Plain, sentence: string, id: number): Outcome {
  if (plain.experiments.some(({ state }) => IN_FLIGHT.includes(state))) return refused(plain, 'in_flight');
  const base = plain.file ?? '';
  const made = {
    id,
    state: 'proposed',
    base,
    candidate: `${base}${sentence}\n`,
    hasVerdict: true,
    conflict: false,
  } as const;
  return carriedOut({ ...plain, experiments: [...plain.experiments, made] });
}
