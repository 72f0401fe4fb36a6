import type { VerdictKind } from '../domain/experiment.js';
import type { ExperimentRow } from '../store/experiments.js';
import type { JobKind } from '../store/jobs.js';
import type { TargetStatus } from './targetStatus.js';
import { WAITS_FOR_PERSON } from './liveWindow.js';
import { retryText, type WindowRetry } from './windowRetry.js';

/** Where an experiment stands within its state, in the words of every surface. */
export const PHASES = [
  'drafting',
  'not evaluated',
  'evaluating',
  'paused',
  'waiting for a person',
  'stale',
  'ready to apply',
  'counting sessions',
  'judging the window',
  'conflict',
  'verified',
  'reverted',
  'rejected',
] as const;
export type Phase = (typeof PHASES)[number];

/** An open job of the experiment. */
export interface OpenJob {
  readonly id: number;
  readonly kind: JobKind;
  readonly state: 'queued' | 'running' | 'waiting';
  /** Why a waiting job waits. */
  readonly waitsFor: { readonly code: string; readonly message: string } | null;
}

export interface PhaseFacts {
  readonly experiment: Pick<
    ExperimentRow,
    'id' | 'state' | 'candidateSha256' | 'verdict' | 'manualConflictDetected' | 'liveNote' | 'appliedAt' | 'approvedAt'
  > &
    Pick<ExperimentRow, 'liveSessionsObserved' | 'liveSessionsTarget' | 'liveDeadlineAt' | 'liveExtensions'>;
  readonly target: TargetStatus;
  readonly job: OpenJob | null;
  readonly now: number;
  /** Model, judge, suite or evaluator are others than those the evidence was taken with. */
  readonly evidenceExpired: boolean;
  /** When the background judges the window again, after it failed to. */
  readonly retry: WindowRetry | null;
}

/** The phase follows from state, verdict, open job and the target file; it is stored nowhere. */
export function phaseOf({ experiment, target, job, now, evidenceExpired }: PhaseFacts): Phase {
  switch (experiment.state) {
    case 'verified':
    case 'reverted':
    case 'rejected':
      return experiment.state;
    case 'proposed':
      if (experiment.candidateSha256 === null) return 'drafting';
      if (target !== 'as_base') return 'stale';
      if (job !== null) return job.waitsFor?.code === 'paused' ? 'paused' : 'evaluating';
      if (experiment.verdict === null) return 'not evaluated';
      return evidenceExpired ? 'stale' : 'waiting for a person';
    case 'approved':
      return target === 'as_base' && !evidenceExpired ? 'ready to apply' : 'stale';
    case 'live':
      if (experiment.manualConflictDetected || target !== 'as_applied') return 'conflict';
      if (job?.kind === 'window') return 'judging the window';
      if (experiment.liveNote?.startsWith(WAITS_FOR_PERSON) || windowIsOver(experiment, now))
        return 'waiting for a person';
      return 'counting sessions';
  }
}

function windowIsOver(experiment: PhaseFacts['experiment'], now: number): boolean {
  const { liveSessionsObserved: seen, liveSessionsTarget: wanted, liveDeadlineAt: deadline } = experiment;
  return (wanted !== null && seen >= wanted) || (deadline !== null && now >= deadline);
}

/** What to do next: why, and the exact commands, best first, without the program's name. */
export interface NextStep {
  readonly say: string;
  readonly commands: readonly string[];
}

export function nextStep(phase: Phase, facts: PhaseFacts): NextStep {
  const { id, verdict } = facts.experiment;
  switch (phase) {
    case 'drafting':
      return openWork(facts, {
        running: 'The model is writing the sentence.',
        stopped: 'The sentence is not written yet; that is queued, or was interrupted, and goes on with:',
      });
    case 'not evaluated':
      return { say: 'The change has not been tested yet.', commands: [`evaluate ${id}`, `reject ${id} --reason '…'`] };
    case 'evaluating':
    case 'paused':
      return openWork(facts, {
        running: 'The change is being tested.',
        stopped: 'The test is queued, or was interrupted, and goes on with:',
      });
    case 'stale':
      return {
        say: `${facts.target === 'as_base' ? 'Model, judge, scenarios or evaluator changed after the test' : 'The file was changed after this edit was written'}, so the evidence no longer holds. Reject it and propose again.`,
        commands: [`reject ${id} --reason 'the evidence expired'`],
      };
    case 'ready to apply':
      return { say: 'Approved. Applying writes the file.', commands: [`apply ${id}`, `reject ${id} --reason '…'`] };
    case 'counting sessions':
      return {
        say: 'Sessions that start from now on count by themselves; nothing to do.',
        commands: [`show ${id}`, `revert ${id} --reason '…'`],
      };
    case 'judging the window':
      return openWork(facts, {
        running: 'The live window is being judged by fresh trials.',
        stopped: 'The live window is over; its judgement is queued, or was interrupted, and goes on with:',
      });
    case 'conflict':
      return {
        say: 'The file was edited by a person while the change was live; nothing is written over it. Keep the edit, or put the text from before the change back.',
        commands: [`resolve ${id}`, `resolve ${id} --keep-mine`, `resolve ${id} --restore`],
      };
    case 'waiting for a person':
      return facts.experiment.state === 'live' ? windowChoices(facts) : verdictChoices(id, verdict);
    case 'verified':
    case 'reverted':
    case 'rejected':
      return { say: 'Nothing is in flight.', commands: ['propose'] };
  }
}

function openWork({ job, experiment }: PhaseFacts, say: { running: string; stopped: string }): NextStep {
  if (job?.state === 'running') return { say: say.running, commands: ['status', `jobs cancel ${job.id}`] };
  if (job?.state === 'waiting') {
    const again = RESUMES[job.kind](experiment.id);
    return {
      say: `The work waits: ${(job.waitsFor?.message ?? 'it needs you').replace(/\.$/, '')}. When that is settled it goes on with:`,
      commands: RESUME_LIFTS.has(job.waitsFor?.code ?? '') ? [again, 'resume'] : [again],
    };
  }
  return { say: say.stopped, commands: ['work'] };
}

/** Codes of errors. */
const RESUME_LIFTS: ReadonlySet<string> = new Set(['paused', 'outage']);

/** What asks again for a job that waits for a person. */
const RESUMES: Readonly<Record<OpenJob['kind'], (id: number) => string>> = {
  propose: (id) => `evaluate ${id}`,
  evaluate: (id) => `evaluate ${id}`,
  window: (id) => `verify ${id}`,
  run: () => 'run',
  calibrate: () => 'calibrate',
};

function windowChoices({ experiment, now, retry }: PhaseFacts): NextStep {
  const { id, liveNote } = experiment;
  const over = windowIsOver(experiment, now);
  if (!liveNote?.startsWith(WAITS_FOR_PERSON)) {
    return {
      say: retry === null ? 'The live window is over; fresh trials judge it.' : retryText(retry, id),
      commands: [`verify ${id}`, `revert ${id} --reason '…'`],
    };
  }
  // The note ends in the commands, which stand below.
  const [say = ''] = liveNote.slice(WAITS_FOR_PERSON.length).split('. `');
  return {
    say: `${say.charAt(0).toUpperCase()}${say.slice(1).replace(/\.$/, '')}. You decide.`,
    commands: over
      ? [`finish ${id} --keep 'reason'`, `finish ${id} --revert`, `finish ${id} --again`]
      : [`revert ${id} --reason '…'`],
  };
}

function verdictChoices(id: number, verdict: VerdictKind | null): NextStep {
  if (verdict === 'keep') {
    return {
      say: 'The evidence says it helps. You decide.',
      commands: [`show ${id}`, `approve ${id} --apply`, `reject ${id} --reason '…'`],
    };
  }
  return {
    say: 'The evidence does not settle it. Reject it, or approve it with a reason that stays on record.',
    commands: [`show ${id}`, `reject ${id} --reason '…'`, `approve ${id} --override '…'`],
  };
}

/** What an idle profile can do. */
export function idleStep(facts: {
  scenarios: number;
  holdout: number;
  paused: boolean;
  /** What is wrong with the target file; null when it can be edited. */
  targetFault: string | null;
  /** The verified text in force whose evidence no longer speaks of today; null when there is none. */
  outdated: { experimentId: number; why: string } | null;
}): NextStep {
  if (facts.targetFault !== null) {
    return { say: `Nothing can be proposed: ${facts.targetFault}`, commands: ['doctor'] };
  }
  if (facts.holdout === 0 || facts.scenarios === 0) {
    return {
      say: 'Nothing can be tested before there are train and holdout scenarios.',
      commands: ['scenario add --help', 'scenario import FILE'],
    };
  }
  if (facts.outdated !== null) {
    const { experimentId: id, why } = facts.outdated;
    return {
      say: `Experiment ${id} was verified, but ${why}. Fresh trials tell whether it still holds.`,
      commands: [`verify ${id}`, 'propose'],
    };
  }
  if (facts.paused) return { say: 'Paused: nothing is proposed by itself.', commands: ['resume', 'propose'] };
  return { say: 'Ready for the next change.', commands: ['propose'] };
}
