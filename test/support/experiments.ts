import { readFileSync } from 'node:fs';
import { sha256 } from '../../src/ratchet/digest.js';
import { applyExperiment } from '../../src/services/apply.js';
import { approve } from '../../src/services/approve.js';
import { evidenceFingerprint } from '../../src/services/evidence.js';
import type { VerifyEvidence } from '../../src/services/verify.js';
import { createExperiment, recordVerdict, recordWindow, type EditRecord } from '../../src/store/experiments.js';
import type { VerdictKind } from '../../src/domain/experiment.js';
import type { TestContext } from './context.js';

/** The part of a fixture that experiments need; a process without a test runner can have it, too. */
export type Bench = Pick<TestContext, 'ctx' | 'db' | 'profileId' | 'target'>;

export const NEW_SENTENCE = 'Give the reason first.';

/** An edit that puts a line at the end of the target, as it is on disk now. */
export function appendedLine(fixture: Bench, sentence = NEW_SENTENCE): EditRecord {
  const base = readFileSync(fixture.target);
  const candidate = Buffer.concat([base, Buffer.from(`${sentence}\n`)]);
  return {
    operation: 'insert',
    sentenceNumber: 3,
    rationale: 'a test',
    baseContent: base,
    baseSha256: sha256(base),
    candidateContent: candidate,
    candidateSha256: sha256(candidate),
    metadata: {
      changedHunks: 1,
      addedLines: 1,
      removedLines: 0,
      sentenceDeltaCount: 1,
      targetSpan: { start: base.length, end: base.length },
      sentenceBefore: null,
      sentenceAfter: sentence,
      diff: `+${sentence}`,
      editKey: sentence.toLowerCase(),
    },
    proposerModel: 'human',
  };
}

/** A proposed experiment with its edit; returns its id. */
export function proposed(fixture: Bench, edit: EditRecord = appendedLine(fixture)): number {
  const { ctx, profileId } = fixture;
  return createExperiment(ctx.db, {
    profileId,
    profile: ctx.profile.name,
    targetProfileRoot: ctx.profile.rootPath,
    targetRelpath: 'SOUL.md',
    actor: ctx.actor,
    reason: 'proposed by a test',
    at: ctx.clock.now(),
    edit,
  });
}

/** A proposed experiment with a verdict on today's evidence. */
export async function judged(fixture: Bench, verdict: VerdictKind = 'keep', edit?: EditRecord): Promise<number> {
  const id = proposed(fixture, edit);
  const { sha256: evidence } = await evidenceFingerprint(fixture.ctx);
  recordVerdict(fixture.db, id, {
    verdict,
    reason: `the gate said ${verdict}`,
    detail: { p: 0.01 },
    offlineScore: 0.8,
    evidenceFingerprint: evidence,
    at: fixture.ctx.clock.now(),
  });
  return id;
}

export async function approved(
  fixture: Bench,
  options: { autoRevert?: boolean; edit?: EditRecord } = {},
): Promise<number> {
  const id = await judged(fixture, 'keep', options.edit);
  await approve(fixture.ctx, id, { autoRevert: options.autoRevert });
  return id;
}

export async function live(fixture: Bench, options: { autoRevert?: boolean; edit?: EditRecord } = {}): Promise<number> {
  const id = await approved(fixture, options);
  await applyExperiment(fixture.ctx, id);
  return id;
}

/** A live experiment that has seen all the sessions its window wants. */
export async function liveWithFullWindow(fixture: Bench, options: { autoRevert?: boolean } = {}): Promise<number> {
  const id = await live(fixture, options);
  recordWindow(fixture.db, id, { sessionsObserved: 10, at: fixture.ctx.clock.now() });
  return id;
}

/** What a fresh paired run that confirms the edit leaves. */
export const CONFIRMED: VerifyEvidence = {
  verdict: {
    verdict: 'verified',
    pHarm: 0.9,
    effect: 0.2,
    interval: [0.1, 0.3],
    groups: 12,
    epochs: 2,
    reason: 'the fresh trials show no harm',
  },
  passRate: 0.85,
  evidenceFingerprint: 'f'.repeat(64),
  metrics: { sessionsCompleted: 10 },
  reason: 'the fresh trials show no harm',
};
