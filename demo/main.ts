import Table from 'cli-table3';
import type { HermesPaths } from '../scripts/bootstrap.mjs';
import { ensureHermes } from '../scripts/bootstrap.mjs';
import { holdoutRates } from './facts.js';
import { createNarrator, type Narrator } from './narrator.js';
import { HELP, readOptions, type DemoOptions } from './options.js';
import { openStage, type Stage } from './stage.js';
import { anEditTakenBack, anEditThatChangesNothing, anEditThatHelps, setTheScene, type Outcome } from './story.js';

/** Exit codes: 0 the story came out, 1 it did not, 2 wrong options, 130 interrupted. */
async function main(): Promise<number> {
  let options: DemoOptions | null;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`demo: ${messageOf(error)}\n\n${HELP}`);
    return 2;
  }
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  const narrator = createNarrator();
  const stop = stopSignal(options.limitSeconds);
  introduce(narrator, options);
  const given = process.env.KARPATHY_DEMO_HERMES;
  const hermes = given === undefined ? await ensureHermes() : (JSON.parse(given) as HermesPaths);
  const stage = await openStage({ options, hermes, narrator, signal: stop.signal });
  try {
    const outcomes = await tell(stage, { narrator, simulated: options.real === null });
    narrator.chapter('What was kept, and why');
    narrator.output(table(outcomes));
    narrator.say(
      `\nThe story came out in ${narrator.elapsed().toFixed(0)} s (limit ${options.limitSeconds} s, set-up of packages and Hermes apart).`,
    );
    return 0;
  } catch (error) {
    if (stop.reason() === 'interrupted') {
      narrator.say('\nInterrupted.');
      return 130;
    }
    narrator.say(
      stop.reason() === 'limit'
        ? `\nThe demo did not come out: it took longer than ${options.limitSeconds} s. On a busy machine: --limit MINUTES.`
        : `\nThe demo did not come out: ${messageOf(error)}`,
    );
    return 1;
  } finally {
    await stage.close();
    stop.end();
    const { root } = stage;
    const key = options.real && process.env.OPENAI_API_KEY ? ' Its config.yaml holds your API key.' : '';
    narrator.say(
      `\nThe root stays for a look. It is on its own: no other Hermes is touched.${key}\n  cd ${root.cwd}\n` +
        `  HOME=${root.userHome} HERMES_HOME=${root.home} ${root.install.hermes} karpathy history\n` +
        `  rm -r ${root.dir}    removes all of it`,
    );
  }
}

async function tell(stage: Stage, { narrator, simulated }: { narrator: Narrator; simulated: boolean }) {
  const scene = { stage, narrator, simulated };
  await setTheScene(scene);
  const kept = await anEditThatHelps(scene);
  const nothing = await anEditThatChangesNothing(scene);
  const back = await anEditTakenBack(scene, kept);
  return [kept, nothing, back];
}

function introduce(narrator: Narrator, options: DemoOptions): void {
  narrator.say(
    "karpathy-self-improve: one sentence of an agent's instruction file at a time, kept only on evidence, and undone to " +
      'the byte. Everything below is real - Hermes, its plugin install, its agent in every trial, its hooks, SQLite, files - ' +
      (options.real
        ? `and so is the model: ${options.real.model} at ${options.real.baseUrl}. It will cost what some hundred short agent turns cost.`
        : `but one thing: the model is simulated by a server in this process (seed "${options.seed}").`),
  );
  narrator.say(
    `Time limit: ${options.limitSeconds / 60} minutes; with the simulated model it should take under 6 on 2 idle cores.`,
  );
}

function table(outcomes: readonly Outcome[]): string {
  const rows = new Table({
    head: ['#', 'sentence', 'holdout, before -> after', 'p', 'verdict', 'now', 'why'],
    colWidths: [3, 30, 15, 8, 11, 10, 34],
    wordWrap: true,
    style: { head: [], border: [] },
  });
  for (const { edit, facts, why } of outcomes) {
    const rates = holdoutRates(facts);
    const percent = (share: number) => `${Math.round(share * 100)} %`;
    rows.push([
      String(facts.id),
      edit,
      rates === null ? '-' : `${percent(rates.incumbent)} -> ${percent(rates.candidate)}`,
      facts.verdict?.p == null ? '-' : facts.verdict.p.toPrecision(2),
      facts.verdict?.verdict ?? '-',
      facts.state,
      why,
    ]);
  }
  return rows.toString();
}

interface Stop {
  readonly signal: AbortSignal;
  reason(): 'interrupted' | 'limit' | null;
  end(): void;
}

/** Aborts on Ctrl-C and at the time limit; what was started is ended through the signal. */
function stopSignal(limitSeconds: number): Stop {
  const controller = new AbortController();
  const abort = (reason: 'interrupted' | 'limit') => () => controller.abort(reason);
  const interrupt = abort('interrupted');
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  const timer = setTimeout(abort('limit'), limitSeconds * 1000);
  return {
    signal: controller.signal,
    reason: () => (controller.signal.aborted ? (controller.signal.reason as 'interrupted' | 'limit') : null),
    end: () => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt);
      process.off('SIGTERM', interrupt);
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

process.exitCode = await main();
