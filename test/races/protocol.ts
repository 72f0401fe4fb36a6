import type { ExperimentState } from '#src/domain/experiment.js';

/** What a process of the race is told when it begins. */
export interface RaceOrder {
  readonly role: 'racer' | 'person' | 'observer';
  readonly root: string;
  /** Its draws, and its name in the audit log. */
  readonly name: string;
  readonly seed: string;
  /** The profiles it may act on. */
  readonly profiles: readonly string[];
  /** Time in ms since the epoch at which it ends. */
  readonly until: number;
}

/** A change of state that a command reported as its own. */
export interface Claim {
  readonly experimentId: number;
  readonly to: ExperimentState;
  readonly actor: string;
}

export interface RacerReport {
  readonly role: 'racer';
  readonly claims: readonly Claim[];
  /** Commands given, by name. */
  readonly given: Readonly<Record<string, number>>;
  /** Commands that were refused, by the code of the error. */
  readonly refused: Readonly<Record<string, number>>;
  /** Errors that no command should end with. */
  readonly broken: readonly string[];
  readonly longestMs: number;
}

/** One text that a person saved. */
export interface PersonEdit {
  readonly sha256: string;
  /** Of what they saw in the file right before. */
  readonly seenSha256: string;
  readonly how: 'in place' | 'by rename';
  readonly at: number;
}

export interface PersonReport {
  readonly role: 'person';
  readonly profile: string;
  readonly edits: readonly PersonEdit[];
}

export interface ObserverReport {
  readonly role: 'observer';
  /** What the files held, as long as it was looked: profile, hash, and how the text begins. */
  readonly seen: readonly { readonly profile: string; readonly sha256: string; readonly text: string }[];
  readonly looks: number;
  readonly audits: number;
  readonly broken: readonly string[];
}

export type RaceReport = RacerReport | PersonReport | ObserverReport;
