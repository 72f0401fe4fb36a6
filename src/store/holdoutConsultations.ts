import type { Actor } from '../domain/experiment.js';
import type { Db } from './database.js';

/** Every time someone or something learned about the hidden scenarios. */
export interface NewConsultation {
  readonly profileId: number;
  readonly experimentId: number | null;
  readonly evalRunId: number | null;
  /** `evaluation`: a verdict was based on them; `disclosure`: a refusal hinted at them; `view`: a person read them. */
  readonly kind: 'evaluation' | 'disclosure' | 'view';
  readonly actor: Actor;
  readonly detail: string;
  readonly at: number;
}

export interface ConsultationRow extends NewConsultation {
  readonly id: number;
}

export function recordConsultation(db: Db, consultation: NewConsultation): void {
  db.prepare(
    `INSERT INTO holdout_consultations (profile_id, experiment_id, eval_run_id, kind, actor, detail, at)
     VALUES (@profileId, @experimentId, @evalRunId, @kind, @actor, @detail, @at)`,
  ).run(consultation);
}

/** Oldest first. */
export function listConsultations(db: Db, profileId: number): ConsultationRow[] {
  return db
    .prepare<[number], ConsultationRow>(
      `SELECT id, profile_id AS profileId, experiment_id AS experimentId, eval_run_id AS evalRunId, kind, actor, detail, at
       FROM holdout_consultations WHERE profile_id = ? ORDER BY id`,
    )
    .all(profileId);
}
