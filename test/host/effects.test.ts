import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRatchet, type Ratchet } from '#src/createRatchet.js';
import type { StructuredEdit } from '#src/domain/edit.js';
import type { ShowView } from '#src/services/show.js';
import { cleanup, createHermesRoot, editConfig, type HermesRoot } from '#test/support/hermesHost.js';
import { identityOf, say, startModelServer, systemPromptOf, textOf } from '#test/support/modelServer/index.js';
import type { ModelServer, Responder } from '#test/support/modelServer/index.js';

const SUMMARY = 'End with a one-line summary.';
const COMPOST = 'Name compost when somebody asks about soil.';
const SOUL = '# Fern\n\nYou are Fern, who helps in a garden shop. You like gardening. You answer in a friendly way.\n';
/** What the shop has when the sentence was kept. */
const WITH_SUMMARY = SOUL.replace('way.\n', `way. ${SUMMARY}\n`);

let answered = 0;
/**
 * An agent whose truth is known: it sums up when SOUL.md asks for it, always, and, when SOUL.md names compost, in
 * questions about soil. No two answers are the same, as no cache would give them.
 */
const agent: Responder = (request) => {
  answered += 1;
  const question = textOf(request.messages.findLast((message) => message.role === 'user'));
  const identity = identityOf(systemPromptOf(request));
  const sums = identity.includes(SUMMARY) || (identity.includes(COMPOST) && question.includes('soil'));
  return say(`All is well (${answered}).${sums ? '\nIn short: fine.' : ''}`);
};

const scenarios = (split: 'train' | 'holdout', names: readonly string[], ask: (name: string) => string) =>
  stringify({
    scenarios: names.map((name) => ({ name, split, input: ask(name), checks: [{ regex: '(?m)^In short: ' }] })),
  });
const PLANTS = ['roses', 'herbs', 'hedges', 'lawns', 'ferns', 'tulips', 'apples', 'pears', 'plums'];
/** Fewer train groups than eight are no screen. */
const SOILS = ['clay', 'sand', 'silt', 'peat', 'chalk', 'loam', 'gravel', 'mud'];

/** The long form adds the deletion: its test needs 54 pairs to rule a loss of ten points out. */
const long = process.env.KARPATHY_EFFECTS === 'long';

describe('an edit of a known effect, tested in the real Hermes', () => {
  let server: ModelServer;
  let root: HermesRoot;
  let ratchet: Ratchet | undefined;
  beforeAll(async () => {
    server = await startModelServer({ models: { agent } });
    root = createHermesRoot({
      model: { baseUrl: server.baseUrl, model: 'agent' },
      soul: SOUL,
      config: { platform_toolsets: { cli: ['todo'] } },
    });
    const opened = await open(1);
    const proposer = { base_url: server.baseUrl, model: 'nobody' };
    await opened.init({ proposer, judge: null, budgetTokens: 50_000_000, acceptDisclosure: true });
    const eight = PLANTS.slice(0, 8);
    opened.importScenarios(scenarios('holdout', eight, (name) => `Tell me about ${name}.`));
  });
  afterAll(async () => {
    ratchet?.close();
    await server.close();
    cleanup(root);
  });

  /** With alpha 0.2 a first test may err 0.95 %: eight groups that are all better give p = 1/256. */
  async function open(epochs: number): Promise<Ratchet> {
    ratchet?.close();
    editConfig(root.home, (config) => {
      config.plugins = { karpathy_self_improve: { gate: { alpha: 0.2, epochs, min_power: 0 } } };
    });
    const { hermes, python } = root.install;
    ratchet = await createRatchet({
      home: root.home,
      env: root.env,
      hermes: { command: [hermes], python },
      pluginDir: process.cwd(),
      person: 'tester',
    });
    return ratchet;
  }

  async function tested(soul: string, edit: Omit<StructuredEdit, 'rationale'>, epochs: number): Promise<ShowView> {
    writeFileSync(join(root.home, 'SOUL.md'), soul);
    const opened = await open(epochs);
    const { experimentId } = await opened.propose({ by: 'person', edit: { ...edit, rationale: '' } });
    const view = await opened.evaluate(experimentId);
    const { verdict, evidence } = view;
    console.log(
      `${edit.operation} "${edit.text}": ${verdict?.verdict}, ${verdict?.groups} groups × ${verdict?.epochs}, ${evidence?.cost.trials} trials`,
    );
    if (view.state === 'proposed') await opened.reject(experimentId, 'the next one');
    return view;
  }

  it('is kept when it helps', async () => {
    const view = await tested(SOUL, { operation: 'insert', sentence: 4, text: SUMMARY }, 1);
    expect(view.verdict).toMatchObject({
      verdict: 'keep',
      effect: 1,
      groups: 8,
      epochs: 1,
      p: 1 / 256,
      stage: 'holdout',
    });
    expect(view.evidence).toMatchObject({ differences: [1, 1, 1, 1, 1, 1, 1, 1], cost: { trials: 16 } });
  });

  it('is discarded when it changes nothing', async () => {
    const view = await tested(SOUL, { operation: 'rewrite', sentence: 4, text: 'You answer in a kind way.' }, 1);
    expect(view).toMatchObject({ state: 'rejected', verdict: { verdict: 'discard', effect: 0, groups: 8 } });
    expect(view.evidence?.cost.trials).toBe(16);
  });

  it('is discarded early when it harms: one of three epochs is paid for', async () => {
    const view = await tested(WITH_SUMMARY, { operation: 'rewrite', sentence: 5, text: 'Never sum anything up.' }, 3);
    expect(view).toMatchObject({ state: 'rejected', verdict: { verdict: 'discard', effect: -1, look: 1, epochs: 1 } });
    expect(view.evidence).toMatchObject({ looks: 3, cost: { trials: 16 } });
  });

  it('is not kept when it helps only in the train scenarios', async () => {
    ratchet?.importScenarios(scenarios('train', SOILS, (name) => `What is ${name} soil?`));
    const view = await tested(SOUL, { operation: 'insert', sentence: 4, text: COMPOST }, 1);
    // It passed the screen, eight of eight better, and then the holdout.
    expect(view).toMatchObject({ state: 'rejected', verdict: { verdict: 'discard', stage: 'holdout', effect: 0 } });
    expect(view.evidence?.cost.trials).toBe(16 + 16);
    expect((await ratchet?.status())?.errorBudget).toMatchObject({ consultations: 4, nextConsultation: 4, epoch: 1 });
  });

  it.runIf(long)(
    'is kept at the margin when it removes what does nothing, with as many pairs as that takes',
    async () => {
      ratchet?.importScenarios(scenarios('holdout', PLANTS.slice(8), (name) => `Tell me about ${name}.`));
      const view = await tested(WITH_SUMMARY, { operation: 'delete', sentence: 3, text: '' }, 6);
      expect(view.verdict).toMatchObject({
        verdict: 'keep',
        effect: 0,
        groups: 9,
        epochs: 6,
        margin: 0.1,
        alpha: 0.02,
      });
      // The screen of a deletion is its last step: eight groups, three epochs.
      expect(view.evidence?.cost.trials).toBe(48 + 108);
    },
  );
});
