import { agentModel } from '../../hermes/profiles.js';
import { readTargetText } from '../../ratchet/target.js';
import { findProfile } from '../../store/profiles.js';
import type { Context } from '../context.js';
import { describeAgent } from '../modelNames.js';
import { commandFor } from '../requireProfile.js';
import { findingsOf, type Finding } from './finding.js';

const { ok, error } = findingsOf('target');

export async function targetFindings(ctx: Context): Promise<Finding[]> {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  const relpath = profile?.targetRelpath ?? 'SOUL.md';
  const agent = describeAgent(agentModel(ctx.profile.home));
  const setUp =
    profile === null
      ? [error(`The profile ${ctx.profile.name} is not set up yet.`, `Run \`${commandFor(ctx.profile.name)} init\`.`)]
      : [
          ok(
            `The profile ${ctx.profile.name} is set up${profile.pausedAt === null ? '' : ' and paused'}; its agent: ${agent}.`,
          ),
        ];
  return [...setUp, ...(await fileFindings(ctx, relpath))];
}

async function fileFindings(ctx: Context, relpath: string): Promise<Finding[]> {
  const file = readTargetText(ctx.profile.rootPath, relpath);
  const chars = [...file.text].length;
  if (relpath !== 'SOUL.md' || ctx.hermes === null) return [ok(`${file.path}: ${chars} characters.`)];
  const check = await ctx.checkPrompt(file.text);
  if (!check.blocked && !check.truncated) return [ok(`${file.path}: ${chars} characters, read by Hermes as a whole.`)];
  return [
    error(
      `Hermes ${check.blocked ? 'blocks' : 'truncates'} ${file.path}: ${check.findings.join('; ')}.`,
      `The agent does not see it as it stands. Change the file${check.truncated ? ` to at most ${check.limitChars} characters` : ''}.`,
    ),
  ];
}
