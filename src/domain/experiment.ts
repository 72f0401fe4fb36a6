/** The words every table, command and document uses for an experiment. */

export const EXPERIMENT_STATES = ['proposed', 'approved', 'live', 'verified', 'reverted', 'rejected'] as const;
export type ExperimentState = (typeof EXPERIMENT_STATES)[number];

/** States that take the profile's single place in flight. */
export const IN_FLIGHT_STATES = ['proposed', 'approved', 'live'] as const satisfies readonly ExperimentState[];

export type Split = 'train' | 'holdout';
export type Arm = 'incumbent' | 'candidate';
export type TrialOutcomeKind = 'pass' | 'fail' | 'infra';
export type VerdictKind = 'keep' | 'discard' | 'undecided';
export type EditOperation = 'rewrite' | 'insert' | 'delete';
export type EvalPurpose = 'train_baseline' | 'screen' | 'selection' | 'veto' | 'live_window' | 'calibration';

/** Who decided something: `person@cli`, `person@slash`, `person@http:<id>`, `gate`, `system`, `ratchet`. */
export type Actor = string;

export const HUMAN_PROPOSER = 'human';
