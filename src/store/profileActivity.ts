import type { Db } from './database.js';

/** Whether the hooks of a profile should write, and may wake a worker. */
export interface ProfileActivity {
  readonly rootPath: string;
  /** Set up and not switched off. */
  readonly enabled: boolean;
  /** An experiment is live, or a job is open. */
  readonly live: boolean;
}

/** Whole conditions of the indexes of what is in flight and open, which stay small however much there was. */
export function profileActivity(db: Db): ProfileActivity[] {
  const rows = db
    .prepare(
      `SELECT root_path AS rootPath, enabled,
         enabled AND (EXISTS (SELECT 1 FROM experiments AS e WHERE e.profile_id = p.id
             AND e.state IN ('proposed', 'approved', 'live') AND e.state = 'live')
           OR EXISTS (SELECT 1 FROM jobs AS j WHERE j.profile_id = p.id AND j.state IN ('queued', 'running', 'waiting')))
           AS live
       FROM profiles AS p ORDER BY id`,
    )
    .all() as { rootPath: string; enabled: 0 | 1; live: 0 | 1 }[];
  return rows.map((row) => ({ rootPath: row.rootPath, enabled: row.enabled === 1, live: row.live === 1 }));
}
