import type { ConfigLayer } from '../config.js';
import { KarpathyError } from '../errors.js';
import { findProfile, type ProfileRow } from '../store/profiles.js';
import type { Context } from './context.js';
import { lostProfiles } from './lostProfiles.js';

/** The profile this command is about, as it was set up. @throws KarpathyError `not_initialised` */
export function requireProfile(ctx: Pick<Context, 'db' | 'profile'>): ProfileRow {
  const row = findProfile(ctx.db, ctx.profile.rootPath);
  if (row !== null) return row;
  const [lost] = lostProfiles(ctx);
  const moved =
    lost === undefined
      ? ''
      : ` If it was renamed or moved, \`relocate\` takes up its history (${lost.rootPath} is gone).`;
  throw new KarpathyError('not_initialised', `The profile ${ctx.profile.name} is not set up yet.`, {
    hint: `Run \`${commandFor(ctx.profile.name)} init\`; it leads through target, models and budget in one sitting.${moved}`,
  });
}

/** The command line a person types for a profile: `hermes karpathy`, or `hermes -p dev karpathy`. */
export function commandFor(profileName: string): string {
  return profileName === 'default' ? 'hermes karpathy' : `hermes -p ${profileName} karpathy`;
}

/** What `init` stored, as the weakest layer of the configuration; config.yaml may override it. */
export function learnedLayer(row: ProfileRow | null): ConfigLayer {
  return {
    source: 'init',
    values:
      row === null
        ? {}
        : {
            models: { proposer: row.proposer ?? undefined, judge: row.judge ?? undefined },
            budget: { usd: row.budgetUsd ?? undefined, tokens: row.budgetTokens ?? undefined },
          },
  };
}
