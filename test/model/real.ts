import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isKarpathyError, type ErrorCode } from '#src/errors.js';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import type { Context } from '#src/services/context.js';
import { finish } from '#src/services/finish.js';
import { prepare } from '#src/services/prepare.js';
import { reject } from '#src/services/reject.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { tick } from '#src/services/tick.js';
import { getExperiment, listExperiments, recordWindow } from '#src/store/experiments.js';
import { openFileOperations } from '#src/store/fileOperations.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { instrument } from '../faults/instrument.js';
import {
  buildRoot,
  checkNothingHalfWritten,
  checkSnapshots,
  homeIn,
  LATER_MS,
  targetIn,
  withContext,
} from '../faults/world.js';
import { audit } from '../races/observer.js';
import { appendedLine, judged } from '../support/experiments.js';
import { repositoryAt, type TestRepository } from '../support/gitRepository.js';
import type { Deed, Plain } from './plain.js';

const points = instrument({ dies: 'work' });

/** Each command as the program runs it; `propose` takes the sentence. */
const DEEDS: Readonly<Record<Exclude<Deed, 'propose'>, (ctx: Context, id: number) => unknown>> = {
  approve: (ctx, id) => approve(ctx, id),
  apply: (ctx, id) => applyExperiment(ctx, id),
  revert: (ctx, id) => revertExperiment(ctx, id, { reason: 'a test' }),
  reject: (ctx, id) => reject(ctx, id, { reason: 'a test' }),
  keep(ctx, id) {
    const at = ctx.clock.now();
    if (getExperiment(ctx.db, id).state === 'live') recordWindow(ctx.db, id, { deadlineAt: at - 1, at });
    return finish(ctx, id, { keep: 'a test' });
  },
  keepMine: (ctx, id) => resolveConflict(ctx, id, { keepMine: true }),
  restore: (ctx, id) => resolveConflict(ctx, id, { restore: true }),
  tick: (ctx) => tick(ctx),
};

export interface Order {
  readonly deed: Deed;
  readonly id: number;
  readonly sentence: string;
  /** The number of the point at which the work dies; null = at none. */
  readonly killAt: number | null;
}

export interface Done {
  readonly killed: boolean;
  readonly error: ErrorCode | null;
}

/** A profile in a git repository with its controller DB, laid from the same template each time. */
export class RealWorld {
  readonly #directory = realpathSync(mkdtempSync(join(tmpdir(), 'karpathy-model-')));
  #laterMs = 0;

  get root(): string {
    return join(this.#directory, 'root');
  }

  get repository(): TestRepository {
    return repositoryAt(homeIn(this.root));
  }

  /** Builds the template, and loads on the way what the program loads only when it is needed. */
  async build(): Promise<void> {
    const { root } = this;
    mkdirSync(root, { mode: 0o700 });
    await buildRoot(root, () => undefined);
    const { repository } = this;
    repository.write('notes.md', 'Notes.\n');
    repository.git('add', '--all');
    repository.git('commit', '--quiet', '--message', 'notes');
    repository.git('checkout', '--quiet', '-b', 'other');
    repository.write('SOUL.md', 'You are somebody else here.\n');
    repository.git('commit', '--quiet', '--all', '--message', 'another text');
    repository.git('checkout', '--quiet', 'main');
    cpSync(root, join(this.#directory, 'template'), { recursive: true });
    const sentence = 'Warm up.';
    await this.run({ deed: 'propose', id: 0, sentence, killAt: null });
    for (const deed of ['approve', 'apply', 'revert', 'tick'] as const) {
      await this.run({ deed, id: 1, sentence, killAt: null });
    }
  }

  reset(): void {
    rmSync(this.root, { recursive: true, force: true });
    cpSync(join(this.#directory, 'template'), this.root, { recursive: true });
    this.#laterMs = 0;
  }

  read(): string | null {
    const target = targetIn(this.root);
    return existsSync(target) ? readFileSync(target, 'utf8') : null;
  }

  /** A person's: `null` deletes the file. */
  save(text: string | null): void {
    if (text === null) rmSync(targetIn(this.root), { force: true });
    else writeFileSync(targetIn(this.root), text);
  }

  /** One command from opening to closing, as a process of its own. */
  async run({ deed, id, sentence, killAt }: Order): Promise<Done> {
    const act = async (ctx: Context): Promise<void> => {
      await prepare(ctx);
      if (deed !== 'propose') await DEEDS[deed](ctx, id);
      else await propose(ctx, targetIn(this.root), sentence);
    };
    points.arm(killAt);
    const thrown = await withContext(this.root, act, { laterMs: this.#laterMs }).then(
      () => null,
      (error: unknown) => error,
    );
    const killed = await points.disarm();
    // Whoever died holds no lease any more when the next one looks.
    if (killed) this.#laterMs += LATER_MS;
    if (killed || thrown === null) return { killed, error: null };
    if (!isKarpathyError(thrown)) throw new Error(`${deed} broke`, { cause: thrown });
    return { killed, error: thrown.code };
  }

  /** What DB and disk hold now, in the words of the model. */
  look(): Promise<Plain> {
    return withContext(this.root, ({ db }) => {
      const [open] = openFileOperations(db);
      return {
        file: this.read(),
        experiments: listExperiments(db)
          .reverse()
          .map((row) => ({
            id: row.id,
            state: row.state,
            base: row.baseContent?.toString('utf8') ?? '',
            candidate: row.candidateContent?.toString('utf8') ?? '',
            hasVerdict: row.verdict !== null,
            conflict: row.manualConflictDetected,
          })),
        open:
          open === undefined
            ? null
            : {
                kind: open.kind,
                id: open.experimentId,
                prior: open.priorSha256 === 'absent' ? null : open.priorContent.toString('utf8'),
                next: open.newContent.toString('utf8'),
              },
      };
    });
  }

  /** The audit log adds up, and everything that was ever applied can be brought back. */
  check(): Promise<void> {
    return withContext(this.root, ({ db }) => {
      assert.deepEqual(audit(db), []);
      checkNothingHalfWritten(homeIn(this.root));
      for (const { id } of listExperiments(db)) checkSnapshots(db, id);
    });
  }

  /** Whether a person's text is kept as a snapshot, in the DB and as a plain file. */
  isKept(id: number, text: string): Promise<boolean> {
    return withContext(this.root, ({ db }) => {
      const kept = listSnapshots(db, id).filter(({ kind }) => kind === 'person');
      return kept.some(({ content, plainPath }) => {
        return content.toString('utf8') === text && plainPath !== null && readFileSync(plainPath, 'utf8') === text;
      });
    });
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

async function propose(ctx: Context, target: string, sentence: string): Promise<void> {
  const profileId = ctx.db.prepare('SELECT id FROM profiles').pluck().get() as number;
  const bench = { ctx, db: ctx.db, profileId, target };
  await judged(bench, 'keep', appendedLine(bench, sentence));
}
