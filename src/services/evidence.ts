import { createHash } from 'node:crypto';
import { EVALUATOR_VERSION } from '../evaluation/plan.js';
import { readSlotConfig } from '../evaluation/slotConfig.js';
import { agentModel } from '../hermes/profiles.js';
import { userTurns } from '../schemas.js';
import { lastHostVersion } from '../store/hostProcesses.js';
import { listScenarios, type ScenarioRow } from '../store/scenarios.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

/** What evidence rests on. `sha256` is over agent, judge, evaluator and holdout. */
export interface EvidenceFingerprint {
  readonly sha256: string;
  readonly detail: {
    readonly agent: {
      readonly provider: string | null;
      readonly model: string | null;
      readonly baseUrl: string | null;
    };
    readonly judge: string | null;
    readonly evaluator: string;
    /** Content hashes of the holdout scenarios, sorted. */
    readonly holdout: readonly string[];
    /** Per holdout group, what its scenarios ask, as hashes: a group is new when all it asks is new. */
    readonly groups: readonly (readonly string[])[];
    /** Version of the host that loaded the plugin last; a change of it only warns. */
    readonly host: string | null;
    /** Of scenarios that name none of their own; absent = those of the live agent. */
    readonly toolsets?: readonly string[];
    /** What contained tools run in; absent while no holdout scenario asks for it. */
    readonly container?: 'bubblewrap';
    /** What differs between a slot and the live agent, in words. */
    readonly notes: readonly string[];
  };
}

/**
 * What evidence rests on today. Another fingerprint means that old evidence says nothing about today's agent.
 * @throws KarpathyError `not_initialised`, `bad_config`
 */
export async function evidenceFingerprint(ctx: Context): Promise<EvidenceFingerprint> {
  const profile = requireProfile(ctx);
  const holdout = listScenarios(ctx.db, profile.id, { split: 'holdout' });
  const judged = holdout.some((scenario) => scenario.spec.checks.some((check) => check.judge !== undefined));
  const { judge } = ctx.config.config.models;
  const { toolsets } = ctx.config.config.runner;
  const counted = {
    agent: agentModel(ctx.profile.home),
    // Who grades only matters where something is graded.
    judge: judged && judge !== null ? JSON.stringify(judge) : null,
    evaluator: EVALUATOR_VERSION,
    holdout: holdout.map((scenario) => scenario.contentSha256).sort(),
    ...(toolsets === null ? {} : { toolsets }),
    ...(holdout.some(({ spec }) => spec.tools === 'contained') ? { container: 'bubblewrap' as const } : {}),
  };
  const host = lastHostVersion(ctx.db, ctx.profile.home);
  return {
    sha256: digest(JSON.stringify(counted)),
    detail: {
      ...counted,
      groups: questionsByGroup(holdout),
      host,
      notes: [...readSlotConfig(ctx.profile.home).differences, ...toolsetNotes(ctx, holdout)],
    },
  };
}

function questionsByGroup(scenarios: readonly ScenarioRow[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const { group, spec } of scenarios) groups.set(group, [...(groups.get(group) ?? []), question(userTurns(spec))]);
  return [...groups.values()].map((questions) => questions.sort());
}

/** Another name, group, check or punctuation does not make a question new. */
function question(turns: readonly string[]): string {
  return digest(turns.map((turn) => (turn.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).join(' ')).join('\n'));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export type Evidence = EvidenceFingerprint['detail'];

/** How many holdout groups of `now` ask nothing that `earlier` asked. */
export function newGroups(earlier: Evidence, now: Evidence): number {
  const known = new Set(earlier.groups.flat());
  return now.groups.filter((group) => !group.some((asked) => known.has(asked))).length;
}

export function sameModels(earlier: Evidence, now: Evidence): boolean {
  const models = ({ agent, judge, evaluator }: Evidence): string => JSON.stringify([agent, judge, evaluator]);
  return models(earlier) === models(now);
}

/** What of the evidence is another now, in words; empty when nothing is. The host's version counts only as a warning. */
export function changesOf(earlier: Evidence, now: Evidence): string[] {
  const fresh = newGroups(earlier, now);
  const edited = JSON.stringify(earlier.holdout) !== JSON.stringify(now.holdout);
  return [
    ...changed('the agent model', modelName(earlier), modelName(now)),
    ...changed('the judge', earlier.judge, now.judge, false),
    ...changed('the evaluator', earlier.evaluator, now.evaluator),
    ...(fresh > 0
      ? [`${fresh} of ${now.groups.length} holdout groups are new`]
      : edited
        ? ['holdout scenarios were edited or removed']
        : []),
    ...changed('the toolsets (runner.toolsets)', named(earlier.toolsets), named(now.toolsets)),
    ...(earlier.host === null || now.host === null ? [] : changed('the host', earlier.host, now.host)),
  ];
}

function changed(what: string, before: string | null, now: string | null, named = true): string[] {
  if (before === now) return [];
  return [named ? `${what} is ${now ?? 'none'} and was ${before ?? 'none'}` : `${what} is another`];
}

function modelName({ agent }: Evidence): string {
  const place = agent.baseUrl ?? agent.provider;
  return `${agent.model ?? 'unknown'}${place === null ? '' : ` (${place})`}`;
}

function named(toolsets: readonly string[] | undefined): string | null {
  return toolsets?.join(', ') ?? null;
}

/** Fewer tools than the live agent has are a difference from it, however it came to be. */
function toolsetNotes(ctx: Context, holdout: readonly ScenarioRow[]): string[] {
  const { toolsets } = ctx.config.config.runner;
  const own = holdout.filter(({ spec }) => spec.toolsets !== undefined).length;
  return [
    ...(toolsets === null ? [] : [`only these toolsets are offered (runner.toolsets): ${toolsets.join(', ')}`]),
    ...(own === 0 ? [] : [`${own} of ${holdout.length} holdout scenarios have toolsets of their own`]),
  ];
}
