import { realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathsUnder } from '../src/hermes/paths.js';
import { openDatabase } from '../src/store/database.js';

/** A Hermes root whose default profile is set up, without asking anybody; returns the profile's id. */
export function addBenchProfile(root: string): number {
  const home = realpathSync(root);
  writeFileSync(join(home, 'SOUL.md'), 'You are careful.\n');
  const db = openDatabase(pathsUnder(home).dbPath);
  try {
    const { lastInsertRowid } = db
      .prepare(
        `INSERT INTO profiles (root_path, name, target_relpath, proposer, budget_tokens, disclosure_accepted_at, created_at, updated_at)
         VALUES (?, 'default', 'SOUL.md', '{"base_url":"http://127.0.0.1:9/v1","model":"m"}', 1000000, 1, 1, 1)`,
      )
      .run(home);
    return Number(lastInsertRowid);
  } finally {
    db.close();
  }
}
