import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { Db } from '../store/database.js';
import { listExperiments, type ExperimentRow } from '../store/experiments.js';
import { isDirectory } from './lostProfiles.js';
import { targetSha256 } from './targetStatus.js';

/** An applied edit that was neither reverted nor superseded, and what its file holds. */
export interface TextInForce {
  readonly experiment: number;
  readonly state: 'live' | 'verified';
  readonly profile: string;
  /** Real path of the profile's home. */
  readonly home: string;
  readonly file: string;
  /** Whether its prior bytes can be put back, once those of later ones are. */
  readonly fits: 'yes' | 'edited' | 'missing' | 'profile_gone';
}

/** Newest first per profile: the order in which edits come off again. Reads the target files. */
export function textsInForce(db: Db): TextInForce[] {
  const applied = listExperiments(db, { states: ['live', 'verified'] });
  const profiles = new Set(applied.map(({ profileId }) => profileId));
  return [...profiles].flatMap((profileId) => unwind(applied.filter((row) => row.profileId === profileId)));
}

/** Follows the hashes from what a file holds back to what it held before the first of them. */
function unwind(newestFirst: readonly ExperimentRow[]): TextInForce[] {
  const held = new Map<string, string | null>();
  return newestFirst.map((row) => {
    const { targetProfileRoot: home, targetRelpath } = row;
    const file = join(home, targetRelpath);
    const found = held.has(file) ? (held.get(file) ?? null) : targetSha256({ rootPath: home, targetRelpath });
    const fits = fitOf(row, { home, file, found });
    held.set(file, fits === 'yes' ? row.baseSha256 : found);
    const state = row.state === 'live' ? 'live' : 'verified';
    return { experiment: row.id, state, profile: row.profile, home, file, fits };
  });
}

function fitOf(
  { candidateSha256 }: ExperimentRow,
  { home, file, found }: { home: string; file: string; found: string | null },
): TextInForce['fits'] {
  if (!isDirectory(home)) return 'profile_gone';
  if (found !== null && found === candidateSha256) return 'yes';
  return lstatSync(file, { throwIfNoEntry: false }) === undefined ? 'missing' : 'edited';
}
