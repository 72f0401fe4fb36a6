import type { ExperimentRow } from '../store/experiments.js';
import { listScenarioResults, type ScenarioResultRow } from '../store/scenarioResults.js';
import type { Context } from './context.js';
import { diffView, type DiffView } from './diffView.js';
import { openHoldout, type HoldoutOptions } from './holdout.js';
import type { NextStep } from './nextStep.js';
import { ownExperiment } from './ownExperiment.js';
import { standing, type ExperimentView } from './status.js';
import { freshView, verdictEvidence, type FreshView, type VerdictEvidence } from './verdictEvidence.js';

/** How often one arm passed one scenario. */
export interface ArmResult {
  readonly passes: number;
  /** Complete pairs that count. */
  readonly epochs: number;
  /** Trials lost to faults outside the agent. */
  readonly infra: number;
}

/** One scenario under both arms. A holdout scenario has no name unless the viewer may see the holdout. */
export interface ScenarioResultView {
  readonly name: string | null;
  readonly split: 'train' | 'holdout';
  readonly incumbent: ArmResult | null;
  readonly candidate: ArmResult | null;
}

export interface ShowView extends ExperimentView {
  readonly diff: DiffView;
  readonly metadata: Pick<ExperimentRow, 'changedHunks' | 'addedLines' | 'removedLines' | 'sentenceDeltaCount'>;
  /** What the verdict rests on; null without one, or without a run behind it. */
  readonly evidence: VerdictEvidence | null;
  /** The live window's fresh comparison: the effect on record. */
  readonly fresh: FreshView | null;
  readonly results: readonly ScenarioResultView[];
  readonly provenance: {
    readonly proposer: string | null;
    readonly judge: string | null;
    readonly evidenceFingerprint: string | null;
    readonly approvedBy: string | null;
    readonly autoRevertAgreed: boolean;
    readonly gitRoot: string | null;
    readonly applyCommit: string | null;
    readonly revertCommit: string | null;
    readonly gitNote: string | null;
  };
  readonly closingReason: string | null;
  readonly next: NextStep;
}

/**
 * Everything about one experiment; holdout scenarios have no names unless a person asked for them, which is recorded.
 * @throws KarpathyError `unknown_experiment`, `needs_person`
 */
export async function show(ctx: Context, id: number, options: HoldoutOptions = {}): Promise<ShowView> {
  const experiment = ownExperiment(ctx, id);
  const withHoldout = openHoldout(ctx, { ...options, detail: `show ${id}`, experimentId: id });
  const { view, next } = await standing(ctx, experiment);
  const { changedHunks, addedLines, removedLines, sentenceDeltaCount } = experiment;
  return {
    ...view,
    diff: diffView(experiment),
    metadata: { changedHunks, addedLines, removedLines, sentenceDeltaCount },
    evidence: verdictEvidence(ctx, experiment),
    fresh: freshView(ctx, experiment),
    results: resultViews(listScenarioResults(ctx.db, id), withHoldout),
    provenance: {
      proposer: experiment.proposerModel,
      judge: experiment.judgeModel,
      evidenceFingerprint: experiment.evidenceFingerprint,
      approvedBy: experiment.approvedBy,
      autoRevertAgreed: experiment.autoRevertAgreed,
      gitRoot: experiment.profileGitRoot,
      applyCommit: experiment.applyCommitSha,
      revertCommit: experiment.revertCommitSha,
      gitNote: experiment.gitNote,
    },
    closingReason: experiment.closingReason ?? experiment.rejectionReason,
    next,
  };
}

/** Train scenarios by name; holdout ones by their difference, so that their order says nothing about which is which. */
export function resultViews(rows: readonly ScenarioResultRow[], withHoldout: boolean): ScenarioResultView[] {
  const byScenario = new Map<number, ScenarioResultRow[]>();
  for (const row of rows) byScenario.set(row.scenarioId, [...(byScenario.get(row.scenarioId) ?? []), row]);
  const views = [...byScenario.values()].flatMap((arms) => {
    const [first] = arms;
    if (first === undefined) return [];
    const named = first.split === 'train' || withHoldout;
    return [
      {
        name: named ? first.scenarioSnapshot.name : null,
        split: first.split,
        incumbent: armOf(arms, 'incumbent'),
        candidate: armOf(arms, 'candidate'),
      },
    ];
  });
  return views.sort(
    (a, b) =>
      (a.split === b.split ? 0 : a.split === 'train' ? -1 : 1) ||
      difference(b) - difference(a) ||
      rate(b.candidate) - rate(a.candidate) ||
      (a.name ?? '').localeCompare(b.name ?? ''),
  );
}

function armOf(rows: readonly ScenarioResultRow[], arm: 'incumbent' | 'candidate'): ArmResult | null {
  const row = rows.find((candidate) => candidate.arm === arm);
  return row === undefined ? null : { passes: row.passes, epochs: row.epochs, infra: row.infra };
}

function rate(arm: ArmResult | null): number {
  return arm === null || arm.epochs === 0 ? 0 : arm.passes / arm.epochs;
}

/** Candidate minus incumbent pass rate, in [-1, 1]. */
export function difference(view: Pick<ScenarioResultView, 'incumbent' | 'candidate'>): number {
  return rate(view.candidate) - rate(view.incumbent);
}
