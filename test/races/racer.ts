import { setTimeout as delay } from 'node:timers/promises';
import type { ExperimentState } from '#src/domain/experiment.js';
import { isKarpathyError, type ErrorCode } from '#src/errors.js';
import { randomFrom, type Random } from '#src/gate/random.js';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import type { Context } from '#src/services/context.js';
import { evidenceFingerprint } from '#src/services/evidence.js';
import { finish } from '#src/services/finish.js';
import { ingestSpool } from '#src/services/ingest.js';
import { prepare } from '#src/services/prepare.js';
import { reject } from '#src/services/reject.js';
import { resolveConflict, SUPERSEDED } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { status } from '#src/services/status.js';
import { tick } from '#src/services/tick.js';
import { getExperiment, listExperiments, recordVerdict, recordWindow } from '#src/store/experiments.js';
import { findProfile } from '#src/store/profiles.js';
import { targetIn, withContext } from '../faults/world.js';
import { appendedLine, proposed } from '../support/experiments.js';
import type { Claim, RaceOrder, RacerReport } from './protocol.js';

/** What a command may be told when others are faster or the file is another; all else is a fault. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['wrong_state', 'in_flight', 'stale', 'conflict', 'busy', 'db_busy']);

/** Given also when the time is over: a busy machine must not make an empty race. */
const LEAST_COMMANDS = 8;

interface Hand {
  readonly ctx: Context;
  readonly random: Random;
  /** A sentence that nobody else proposes. */
  readonly sentence: string;
  readonly target: string;
  readonly claim: (experimentId: number, to: ExperimentState) => void;
}

type Deed = (hand: Hand, id: number) => Promise<void>;

/** The commands with their weights, and the states that each is mostly aimed at. */
const DEEDS: Readonly<Record<string, { weight: number; at: readonly ExperimentState[]; do: Deed }>> = {
  propose: { weight: 3, at: [], do: propose },
  approve: {
    weight: 4,
    at: ['proposed'],
    async do({ ctx, claim }, id) {
      await approve(ctx, id);
      claim(id, 'approved');
    },
  },
  apply: {
    weight: 4,
    at: ['approved'],
    async do({ ctx, claim }, id) {
      await applyExperiment(ctx, id);
      claim(id, 'live');
    },
  },
  revert: {
    weight: 3,
    at: ['live', 'verified'],
    async do({ ctx, claim }, id) {
      await revertExperiment(ctx, id, { reason: 'a race' });
      claim(id, 'reverted');
    },
  },
  reject: {
    weight: 1,
    at: ['proposed', 'approved'],
    async do({ ctx, claim }, id) {
      await reject(ctx, id, { reason: 'a race' });
      claim(id, 'rejected');
    },
  },
  resolve: { weight: 2, at: ['live', 'verified'], do: resolve },
  keep: { weight: 1, at: ['live'], do: keep },
  tick: { weight: 2, at: [], do: async ({ ctx }) => void (await tick(ctx)) },
  ingest: { weight: 2, at: [], do: async ({ ctx }) => void ingestSpool(ctx) },
  status: { weight: 1, at: [], do: async ({ ctx }) => void (await status(ctx)) },
};

async function propose({ ctx, target, sentence, claim }: Hand): Promise<void> {
  const profile = findProfile(ctx.db, ctx.profile.rootPath);
  if (profile === null) throw new Error('the profile is gone');
  const bench = { ctx, db: ctx.db, profileId: profile.id, target };
  const id = proposed(bench, appendedLine(bench, sentence));
  claim(id, 'proposed');
  const { sha256 } = await evidenceFingerprint(ctx);
  recordVerdict(ctx.db, id, {
    ...{ verdict: 'keep', reason: 'the gate said keep', detail: { p: 0.01 }, offlineScore: 0.8 },
    ...{ evidenceFingerprint: sha256, at: ctx.clock.now() },
  });
}

async function resolve({ ctx, random, claim }: Hand, id: number): Promise<void> {
  const restores = random() < 0.5;
  const row = await resolveConflict(ctx, id, restores ? { restore: true } : { keepMine: true });
  // A verified edit that a person wrote on stays verified when theirs is kept.
  if (restores || row.closingReason === SUPERSEDED) claim(id, 'reverted');
}

/** The time of its window is over, and a person keeps it. */
async function keep({ ctx, claim }: Hand, id: number): Promise<void> {
  const at = ctx.clock.now();
  if (getExperiment(ctx.db, id).state === 'live') recordWindow(ctx.db, id, { deadlineAt: at - 1, at });
  await finish(ctx, id, { keep: 'a race' });
  claim(id, 'verified');
}

/** Mostly what the command is meant for, as a person would; now and then any of the last ones. */
function aim(ctx: Context, { at, random }: { at: readonly ExperimentState[]; random: Random }): number | null {
  const profileId = findProfile(ctx.db, ctx.profile.rootPath)?.id ?? 0;
  const fitting = random() < 0.85 ? listExperiments(ctx.db, { profileId, states: at, limit: 2 }) : [];
  const among = fitting.length > 0 ? fitting : listExperiments(ctx.db, { profileId, limit: 4 });
  return among[Math.floor(random() * among.length)]?.id ?? null;
}

/** Gives one command after the other until the time is over; each opens, recovers, acts and closes as a process does. */
export async function race(order: RaceOrder): Promise<RacerReport> {
  const random = randomFrom(order.seed);
  const actor = `person@library:${order.name}`;
  const bag = Object.entries(DEEDS).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const claims: Claim[] = [];
  const given: Record<string, number> = {};
  const refused: Record<string, number> = {};
  const broken: string[] = [];
  let longestMs = 0;
  for (let turn = 1; Date.now() < order.until || turn <= LEAST_COMMANDS; turn++) {
    const [name, profile] = [pick(bag), pick(order.profiles)];
    const deed = DEEDS[name] as (typeof DEEDS)[string];
    given[name] = (given[name] ?? 0) + 1;
    const began = performance.now();
    const act = async (ctx: Context): Promise<void> => {
      if (name !== 'tick' && name !== 'ingest') await prepare(ctx);
      const id = aim(ctx, { at: deed.at, random });
      if (id === null && deed.at.length > 0) return;
      const claim: Hand['claim'] = (experimentId, to) => void claims.push({ experimentId, to, actor });
      const hand = {
        ctx,
        random,
        sentence: `${order.name} says ${turn}.`,
        target: targetIn(order.root, profile),
        claim,
      };
      await deed.do(hand, id ?? 0);
    };
    try {
      await withContext(order.root, act, { profile, context: { actor } });
    } catch (error) {
      if (isKarpathyError(error) && REFUSALS.has(error.code)) refused[error.code] = (refused[error.code] ?? 0) + 1;
      else
        broken.push(
          `${order.name}, ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
    }
    longestMs = Math.max(longestMs, performance.now() - began);
    // Lets this process hear and be heard.
    await delay(0);
  }
  return { role: 'racer', claims, given, refused, broken, longestMs };
}
