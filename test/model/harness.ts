import fc from 'fast-check';
import { DEATHS, lastLook, sequences } from './commands.js';
import { RealWorld } from './real.js';

export interface ModelOptions {
  readonly runs: number;
  readonly seed: number;
  /** Of one sequence, at most. */
  readonly commands: number;
}

export interface ModelReport {
  /** fast-check's report with the shortest sequence that fails; null when none does. */
  readonly failure: string | null;
  readonly commands: number;
  /** Commands that were run, by what they are, and how many of them died. */
  readonly counts: Readonly<Record<string, number>>;
  readonly ms: number;
}

/** Runs sequences of commands against the real files, git and DB, and against the plain model. */
export async function runModel(options: ModelOptions): Promise<ModelReport> {
  const began = Date.now();
  const real = new RealWorld();
  const counts: Record<string, number> = {};
  const count = (what: string): void => void (counts[what] = (counts[what] ?? 0) + 1);
  try {
    await real.build();
    const holds = fc.asyncProperty(sequences(options.commands), async (commands) => {
      await fc.asyncModelRun(() => {
        real.reset();
        const plain = { file: real.read(), experiments: [], open: null };
        return { model: { plain, commitOwed: false, sentences: 0, texts: 0, count }, real };
      }, [...commands, lastLook]);
    });
    // Biased, the first sequences would be too short to go anywhere.
    const details = await fc.check(holds, {
      ...{ numRuns: options.runs, seed: options.seed, unbiased: true, includeErrorInReport: true },
    });
    const failure = details.failed ? fc.defaultReportMessage(details) : null;
    const commands = Object.entries(counts).reduce((sum, [name, n]) => (name === DEATHS ? sum : sum + n), 0);
    return { failure: failure ?? null, commands, counts, ms: Date.now() - began };
  } finally {
    real.remove();
  }
}
