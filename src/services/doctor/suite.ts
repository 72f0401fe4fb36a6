import { consultationAlpha } from '../../gate/errorBudget.js';
import { defaultLooks, fewestGroups } from '../../gate/plan.js';
import { showP } from '../../gate/verdict.js';
import { groupsOf } from '../groups.js';
import { findProfile } from '../../store/profiles.js';
import { listScenarios, scenarioHistory, type ScenarioRow } from '../../store/scenarios.js';
import type { Context } from '../context.js';
import { commandFor } from '../requireProfile.js';
import { setupEstimate } from '../setupEstimate.js';
import { findingsOf, type Finding } from './finding.js';

const suite = findingsOf('suite');
const budget = findingsOf('budget');
/** Fewer trials than this say little about a scenario. */
const ENOUGH_TRIALS = 6;

export async function suiteFindings(ctx: Context): Promise<Finding[]> {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  if (profile === null) return [];
  const rows = listScenarios(ctx.db, profile.id);
  if (rows.length === 0) {
    return [
      suite.error(
        'There are no scenarios: nothing can be proven.',
        `Write some (docs/scenarios.md) and run \`${commandFor(ctx.profile.name)} scenario import FILE\`.`,
      ),
    ];
  }
  return [
    ...sizeFindings(ctx, rows),
    ...judgeFindings(ctx, rows),
    ...(await containerFindings(ctx, rows)),
    ...informationFindings(ctx, { rows, profileId: profile.id }),
  ];
}

/** With n groups the smallest p of the sign-flip test is 2^-n: with fewer than that allows, nothing is ever kept. */
function sizeFindings(ctx: Context, rows: readonly ScenarioRow[]): Finding[] {
  const train = rows.filter((row) => row.split === 'train');
  const holdout = rows.filter((row) => row.split === 'holdout');
  const { epochs } = ctx.config.config.gate;
  const groups = groupsOf(holdout);
  // The most that any consultation gets: the first one, at its largest look.
  const alpha = consultationAlpha(ctx.config.config.gate.alpha, 1);
  const needed = fewestGroups(alpha * Math.max(...defaultLooks(epochs, groups).map((look) => look.share)));
  const findings = [
    suite.ok(`${train.length} train scenarios in ${groupsOf(train)} groups, ${holdout.length} holdout in ${groups}.`),
  ];
  if (groups < needed) {
    findings.push(
      suite.error(
        `With ${groups} holdout groups no edit can ever be kept at alpha ${showP(alpha)}, the largest share of gate.alpha: even if all favoured it, p would be ${(2 ** -groups).toPrecision(2)}.`,
        `At least ${needed} holdout groups are needed, and a real effect needs several times as many: \`${commandFor(ctx.profile.name)} preflight\` says how many.`,
      ),
    );
  }
  if (train.length === 0) {
    findings.push(
      suite.warn(
        'There are no train scenarios: the proposer has no failure to learn from.',
        'Give some scenarios `split: train`.',
      ),
    );
  }
  return findings;
}

function judgeFindings(ctx: Context, rows: readonly ScenarioRow[]): Finding[] {
  const judged = rows.filter((row) => row.spec.checks.some((check) => check.judge !== undefined)).length;
  if (judged === 0 || ctx.config.config.models.judge !== null) return [];
  return [
    suite.error(
      `${judged} scenarios have a judge check, but there is no judge model.`,
      'Choose one with `init`, or replace the judge checks.',
    ),
  ];
}

async function containerFindings(ctx: Context, rows: readonly ScenarioRow[]): Promise<Finding[]> {
  const asking = rows.filter((row) => row.spec.tools === 'contained').length;
  if (asking === 0) return [];
  const found = await ctx.findContainer();
  return found.kind === null
    ? [suite.error(`${asking} scenarios ask for contained tools, which can't run here: ${found.problem}.`, found.fix)]
    : [];
}

/** Scenarios that never change tell nothing. The names of holdout scenarios stay hidden. */
function informationFindings(ctx: Context, from: { rows: readonly ScenarioRow[]; profileId: number }): Finding[] {
  const splits = new Map(from.rows.map((row) => [row.id, row]));
  const settled = scenarioHistory(ctx.db, from.profileId).filter((h) => h.passed + h.failed >= ENOUGH_TRIALS);
  return (['passed', 'failed'] as const).flatMap((outcome) => {
    const always = settled.filter((h) => h[outcome] === h.passed + h.failed).map((h) => splits.get(h.scenarioId));
    const train = always.filter((row) => row?.split === 'train').map((row) => row?.name);
    const holdout = always.filter((row) => row?.split === 'holdout').length;
    const parts = [...train, ...(holdout > 0 ? [`${holdout} holdout scenarios`] : [])];
    if (parts.length === 0) return [];
    const what =
      outcome === 'passed'
        ? 'always passed: they cannot show an improvement'
        : 'always failed: they may ask for what no sentence can give';
    return [
      suite.warn(
        `In all trials so far these ${what}: ${parts.join(', ')}.`,
        'Make them harder or easier, or leave them as a guard.',
      ),
    ];
  });
}

export function budgetFindings(ctx: Context): Finding[] {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  if (profile === null) return [];
  const { config, sources } = ctx.config;
  const chosen = (leaf: 'usd' | 'tokens', stored: number | null): number | null =>
    (sources.get(`budget.${leaf}`) ?? 'default') === 'default' ? stored : config.budget[leaf];
  const usd = chosen('usd', profile.budgetUsd);
  const tokens = chosen('tokens', profile.budgetTokens);
  if (usd === null && tokens === null) {
    return [
      budget.error('No budget is set: nothing is spent without one.', 'Set budget.tokens or budget.usd with `init`.'),
    ];
  }
  const estimate = setupEstimate(ctx, profile);
  const limit = [tokens === null ? null : `${tokens.toLocaleString('en-US')} tokens`, usd === null ? null : `$${usd}`];
  const said = `${limit.filter((part) => part !== null).join(' and ')} an edit; expected: ${estimate.tokens.toLocaleString('en-US')} tokens${estimate.usd === null ? '' : `, $${estimate.usd.toFixed(2)}`}`;
  const short =
    (tokens !== null && tokens < estimate.tokens) || (usd !== null && estimate.usd !== null && usd < estimate.usd);
  return short
    ? [
        budget.warn(
          `The budget is below the estimate: ${said} (${estimate.basis}).`,
          'Raise it, or use fewer scenarios, epochs or toolsets.',
        ),
      ]
    : [budget.ok(`Budget: ${said}.`)];
}
