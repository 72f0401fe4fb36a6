import { decideTally } from './decide.js';
import { decideDeletionTally } from './deletion.js';
import { GrowingTally, subset } from './growingTally.js';
import { decideWindowTally } from './liveWindow.js';
import { defaultLooks } from './plan.js';
import type { Random } from './random.js';
import { decideDeletionScreen, decideScreen, screenSteps } from './screen.js';
import { countGroups, scenariosBefore, type Suite } from './simulatedSuite.js';
import type { Verdict, WindowVerdict } from './types.js';
import { decideVetoTally, VETO_PAIRS, vetoFlags } from './veto.js';

export interface Edit {
  readonly train: Suite;
  readonly holdout: Suite;
}

export interface Outcome {
  readonly kept: boolean;
  /** Whether the holdout was consulted: only then does the number of the next consultation move. */
  readonly consulted: boolean;
  /** Trials of all stages. */
  readonly trials: number;
  /** Mean difference on the holdout when it was decided; null when it was not asked. */
  readonly effect: number | null;
}

export interface Terms {
  readonly epochs: number;
  readonly alpha: number;
  readonly random: Random;
  /** For the trials of the screen, when they are to leave those of the holdout as they are. */
  readonly trainRandom?: Random;
}

/** Screen, holdout looks and veto of a rewrite or an insertion, by the decisions of production. */
export function judgeEdit(edit: Edit, terms: Terms): Outcome {
  const screen = runScreen(edit.train, terms.trainRandom ?? terms.random);
  if (!screen.passed) return { kept: false, consulted: false, trials: screen.trials, effect: null };
  const { verdict, tally } = runLooks(edit.holdout, terms);
  const trials = screen.trials + tally.trials;
  const consulted = { consulted: true, effect: verdict.effect };
  if (verdict.verdict !== 'keep') return { ...consulted, kept: false, trials };
  const veto = runVeto(edit.holdout, { tally, random: terms.random });
  return { ...consulted, kept: veto.clear, trials: trials + veto.trials };
}

export function runScreen(train: Suite, random: Random): { passed: boolean; trials: number } {
  const groups = countGroups(train);
  const half = scenariosBefore(train, Math.floor(groups / 2));
  const tally = new GrowingTally(train, random);
  let done = 0;
  for (const step of screenSteps(groups)) {
    if (step.epochs === 0.5) tally.runEpochs(1, { to: half });
    else if (done === 0.5) tally.runEpochs(1, { from: half }).runEpochs(step.epochs - 1);
    else tally.runEpochs(step.epochs - done);
    done = step.epochs;
    const decision = decideScreen(tally, step);
    if (decision !== 'on') return { passed: decision === 'pass', trials: tally.trials };
  }
  return { passed: true, trials: tally.trials };
}

function runLooks(holdout: Suite, { epochs, alpha, random }: Terms): { verdict: Verdict; tally: GrowingTally } {
  const looks = defaultLooks(epochs, countGroups(holdout));
  const tally = new GrowingTally(holdout, random);
  let done = 0;
  for (const [index, look] of looks.entries()) {
    tally.runEpochs(look.epochs - done);
    done = look.epochs;
    const verdict = decideTally(tally, { alpha, looks }, { look: index + 1, coverage: 1 });
    if (verdict !== null) return { verdict, tally };
  }
  throw new Error('the last look always decides');
}

function runVeto(holdout: Suite, of: { tally: GrowingTally; random: Random }): { clear: boolean; trials: number } {
  const flagged = vetoFlags(of.tally);
  const fresh = new GrowingTally(subset(holdout, flagged), of.random).runEpochs(VETO_PAIRS);
  const clear = decideVetoTally(fresh, [...flagged.keys()]) === 'clear';
  return { clear, trials: fresh.trials };
}

/** Screen and score test of a deletion. */
export function judgeDeletion(edit: Edit, terms: Terms & { margin: number }): Outcome {
  const { epochs, alpha, margin, random } = terms;
  const last = screenSteps(countGroups(edit.train)).at(-1);
  const train = new GrowingTally(edit.train, random).runEpochs(last?.epochs ?? 0);
  if (last !== undefined && decideDeletionScreen(train, margin) === 'drop') {
    return { kept: false, consulted: false, trials: train.trials, effect: null };
  }
  const tally = new GrowingTally(edit.holdout, random).runEpochs(epochs);
  const { verdict, effect } = decideDeletionTally(tally, { alpha, epochs, margin }, 1);
  return { kept: verdict === 'keep', consulted: true, trials: train.trials + tally.trials, effect };
}

/** The fresh comparison after a keep, with its one extension. */
export function liveWindow(holdout: Suite, { epochs, random }: { epochs: number; random: Random }): WindowVerdict {
  const tally = new GrowingTally(holdout, random).runEpochs(epochs);
  const first = decideWindowTally(tally, { extension: 0, above: 0 });
  if (first.verdict !== 'extend') return first;
  return decideWindowTally(tally.runEpochs(epochs), { extension: 1, above: 0 });
}
