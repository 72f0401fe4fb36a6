import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitSentences } from '../src/domain/sentences.js';
import { truthOf } from '../test/support/modelServer/index.js';
import { currentExperiment, experimentFacts, type ExperimentFacts } from './facts.js';
import type { Narrator } from './narrator.js';
import { fileHash, installOn, type Stage } from './stage.js';

export interface Scene {
  readonly stage: Stage;
  readonly narrator: Narrator;
  /** The outcomes are known, so anything else is a failure of the demo. */
  readonly simulated: boolean;
}

/** One row of the closing table. */
export interface Outcome {
  readonly edit: string;
  readonly facts: ExperimentFacts;
  readonly why: string;
}

/** Thrown when what the demo is there to show did not happen. */
export class StoryError extends Error {
  override readonly name = 'StoryError';
}

const LIVE_QUESTIONS = [
  'Do you have bird houses?',
  'What would you give a neighbour who has just moved in?',
  'How long do tulip bulbs keep?',
];

/** Installing, and setting the profile up. */
export async function setTheScene({ stage, narrator, simulated }: Scene): Promise<void> {
  narrator.chapter('A fresh Hermes gets the plugin');
  narrator.say(`A temporary Hermes root: ${stage.root.home}`);
  await installOn(stage, narrator);
  narrator.chapter('Setting up the profile');
  narrator.say(
    "The root's config.yaml names the proposer's model, a token limit, one epoch per evaluation and a live window of " +
      'three sessions. It also sets approvals.allow_noninteractive, because nobody sits at this terminal: normally ' +
      'approve, apply and revert ask a person.',
  );
  await stage.hermes(['karpathy', 'init', '--accept-disclosure']);
  await stage.hermes(['karpathy', 'scenario', 'import', join(import.meta.dirname, 'scenarios.yaml')]);
  narrator.say(
    '\n26 tasks of a garden shop: 6 to learn from (train), 20 to decide on (holdout). Half of them check that an answer ' +
      'ends with a one-line summary, the other half that a weight comes with its unit. SOUL.md asks for neither:',
  );
  narrator.output(soul(stage));
  if (simulated) tellTruth({ stage, narrator });
}

/** The model proposes; the edit is tested, approved, applied, watched, verified. */
export async function anEditThatHelps(scene: Scene): Promise<Outcome & { readonly bytesBefore: string }> {
  const { stage, narrator } = scene;
  narrator.chapter('The model proposes an edit, and it is tested');
  narrator.say(
    'First the incumbent runs on the train tasks; the proposer sees those it fails. Then both texts run on the holdout.',
  );
  await stage.hermes(['karpathy', 'propose']);
  const proposed = await currentExperiment(stage);
  await stage.hermes(['karpathy', 'show', String(proposed.id)]);
  if (proposed.state !== 'proposed' || proposed.verdict?.verdict !== 'keep') {
    throw new StoryError(
      `The proposed edit was not kept: ${proposed.verdict?.reason ?? proposed.closingReason ?? proposed.state}`,
    );
  }
  narrator.chapter('A person approves, and it is applied');
  const before = fileHash(stage.soulPath);
  await stage.hermes(['karpathy', 'approve', String(proposed.id), '--yes']);
  await stage.hermes(['karpathy', 'apply', String(proposed.id), '--yes']);
  narrator.say(`SOUL.md was ${before.slice(0, 16)}…, is ${fileHash(stage.soulPath).slice(0, 16)}… (sha256):`);
  narrator.output(soul(stage));

  narrator.chapter('Real sessions fill the live window');
  for (const question of LIVE_QUESTIONS) {
    await stage.hermes(['chat', '-q', question, '-Q']);
  }
  narrator.say(
    '\nThe hooks wrote one line per turn; tick counts them, and work runs the fresh comparison that the full window asks for.',
  );
  await stage.hermes(['karpathy', 'tick']);
  await stage.hermes(['karpathy', 'work']);
  await stage.hermes(['karpathy', 'status']);
  const facts = await experimentFacts(stage, proposed.id);
  if (facts.state !== 'verified') throw new StoryError(`The applied edit is ${facts.state}, not verified.`);
  const why = 'better on the holdout, and fresh trials agree';
  return { edit: describe(facts), facts, why, bytesBefore: before };
}

/** A person's paraphrase: the truth is that it changes nothing. */
export async function anEditThatChangesNothing(scene: Scene): Promise<Outcome> {
  const { stage, narrator, simulated } = scene;
  narrator.chapter('An edit that changes nothing');
  narrator.say(
    'A person rewrites one sentence in other words. "Keep it if the score went up" would keep this half of the time.',
  );
  const number = splitSentences(soul(stage)).find((sentence) => sentence.text.includes('friendly way'))?.number;
  if (number === undefined) throw new StoryError('The sentence to rewrite is not in SOUL.md.');
  await stage.hermes(['karpathy', 'propose', '--rewrite', String(number), 'You reply to customers in a kind way.']);
  const facts = await currentExperiment(stage);
  await stage.hermes(['karpathy', 'show', String(facts.id)]);
  if (facts.verdict?.verdict === 'keep') throw new StoryError('An edit that changes nothing was kept.');
  if (simulated && facts.state !== 'rejected') throw new StoryError(`The paraphrase is ${facts.state}, not rejected.`);
  if (facts.state === 'proposed') {
    await stage.hermes(['karpathy', 'reject', String(facts.id), '--reason', 'no proof that it helps']);
  }
  const after = await experimentFacts(stage, facts.id);
  const why = after.verdict?.reason ?? after.closingReason ?? '';
  return { edit: describe(after), facts: after, why };
}

/** A second edit that helps is applied, and taken back to the very bytes. */
export async function anEditTakenBack(
  scene: Scene,
  earlier: Outcome & { readonly bytesBefore: string },
): Promise<Outcome> {
  const { stage, narrator } = scene;
  narrator.chapter('An applied edit is taken back, byte for byte');
  const before = fileHash(stage.soulPath);
  const last = splitSentences(soul(stage)).length;
  await stage.hermes(['karpathy', 'propose', '--insert-after', String(last), 'Write the unit after every number.']);
  let facts = await currentExperiment(stage);
  let expected = before;
  if (facts.verdict?.verdict === 'keep' && facts.state === 'proposed') {
    await stage.hermes(['karpathy', 'approve', String(facts.id), '--apply', '--yes']);
    narrator.say(`\nApplied. SOUL.md was ${before}\n                 is ${fileHash(stage.soulPath)} (sha256)`);
  } else if (scene.simulated) {
    throw new StoryError(`The second edit was not kept: ${facts.verdict?.reason ?? facts.state}`);
  } else {
    narrator.say('\nThis one found no proof, so the first edit is taken back instead.');
    if (facts.state === 'proposed')
      await stage.hermes(['karpathy', 'reject', String(facts.id), '--reason', 'no proof']);
    facts = earlier.facts;
    expected = earlier.bytesBefore;
  }
  await stage.hermes(['karpathy', 'revert', String(facts.id), '--reason', 'the shop changed its mind', '--yes']);
  const after = fileHash(stage.soulPath);
  narrator.say(`\nTaken back. SOUL.md is ${after}${after === expected ? ': the same bytes as before' : ''}`);
  if (after !== expected) throw new StoryError(`After the revert SOUL.md hashes to ${after}, not to ${expected}.`);
  const reverted = await experimentFacts(stage, facts.id);
  if (reverted.state !== 'reverted') throw new StoryError(`The edit is ${reverted.state}, not reverted.`);
  return {
    edit: describe(reverted),
    facts: reverted,
    why: 'a person took it back; the prior bytes are in place, by hash',
  };
}

function tellTruth({ stage, narrator }: Pick<Scene, 'stage' | 'narrator'>): void {
  const now = truthOf(soul(stage));
  const then = truthOf(`${soul(stage)}\nEnd every answer with a one-line summary.`);
  const percent = (share: number) => `${Math.round(share * 100)} %`;
  narrator.say(
    `The model is simulated: what it does is drawn from a hash of seed, SOUL.md, question and repetition, and how likely ` +
      `it is depends on what SOUL.md asks for. So the truth is known: it now ends with a summary in ${percent(now.summary)} ` +
      `of its answers and states units in ${percent(now.units)}; asked for one, it writes it in ${percent(then.summary)}. ` +
      'The plugin knows none of this.',
  );
}

function soul(stage: Stage): string {
  return readFileSync(stage.soulPath, 'utf8');
}

function describe({ edit }: ExperimentFacts): string {
  return edit.after ?? `(without) ${edit.before ?? ''}`;
}
