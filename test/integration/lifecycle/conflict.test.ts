import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { resolveConflict, threeWay } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { snapshotExport } from '#src/services/snapshotExport.js';
import { verifyExperiment } from '#src/services/verify.js';
import { getExperiment } from '#src/store/experiments.js';
import { listSnapshots } from '#src/store/snapshots.js';
import { DEFAULT_SOUL, testContext, type TestContext } from '../../support/context.js';
import { approved, CONFIRMED, live, liveWithFullWindow, NEW_SENTENCE } from '../../support/experiments.js';

const APPLIED = `${DEFAULT_SOUL}${NEW_SENTENCE}\n`;

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

const soul = () => readFileSync(fixture.target, 'utf8');
const state = (id: number) => getExperiment(fixture.db, id).state;

async function expectRefused(work: () => Promise<unknown>, code: string): Promise<void> {
  const before = soul();
  await expect(work()).rejects.toMatchObject({ code, exitCode: 3 });
  expect(soul()).toBe(before);
}

describe("a person's edit while an experiment is live", () => {
  const MINE = `${APPLIED}My own line.\n`;

  async function edited(): Promise<number> {
    const id = await live(fixture);
    writeFileSync(fixture.target, MINE);
    return id;
  }

  it('shows all three texts before anything is decided', async () => {
    const view = threeWay(fixture.ctx, await edited());
    expect(view.status).toBe('edited');
    expect([view.base, view.applied, view.current].map(String)).toEqual([DEFAULT_SOUL, APPLIED, MINE]);
  });

  it('--keep-mine ends it as superseded and leaves the file alone', async () => {
    const id = await edited();
    expect(await resolveConflict(fixture.ctx, id, { keepMine: true })).toMatchObject({
      state: 'reverted',
      closingReason: 'superseded_by_person',
      manualConflictDetected: false,
    });
    expect(soul()).toBe(MINE);
  });

  it('--restore keeps their bytes as a snapshot, then puts the prior ones back', async () => {
    const id = await edited();
    expect((await resolveConflict(fixture.ctx, id, { restore: true })).state).toBe('reverted');
    expect(soul()).toBe(DEFAULT_SOUL);
    const mine = snapshotExport(fixture.ctx, id, { kind: 'person' });
    expect(mine.bytes.toString()).toBe(MINE);
    expect(readFileSync(mine.plainPath!, 'utf8')).toBe(MINE);
  });

  it.each([['keepMine'], ['restore']] as const)('%s works for a file that was deleted', async (choice) => {
    const id = await live(fixture);
    rmSync(fixture.target);
    const options = choice === 'restore' ? { restore: true as const } : { keepMine: true as const };
    expect((await resolveConflict(fixture.ctx, id, options)).state).toBe('reverted');
    if (choice === 'restore') expect(soul()).toBe(DEFAULT_SOUL);
    else expect(() => soul()).toThrow();
  });

  it('closes one whose prior text the person had put back', async () => {
    const id = await live(fixture);
    writeFileSync(fixture.target, DEFAULT_SOUL);
    await resolveConflict(fixture.ctx, id, { restore: true });
    expect([state(id), soul()]).toEqual(['reverted', DEFAULT_SOUL]);
  });

  it('is no conflict while the file is what was applied, nor after the verification until a revert is wanted', async () => {
    const id = await liveWithFullWindow(fixture);
    await expectRefused(() => resolveConflict(fixture.ctx, id, { keepMine: true }), 'wrong_state');
    await verifyExperiment(fixture.ctx, id, { evidence: CONFIRMED });
    writeFileSync(fixture.target, MINE);
    await expectRefused(() => resolveConflict(fixture.ctx, id, { restore: true }), 'wrong_state');
    await expectRefused(() => revertExperiment(fixture.ctx, id, { reason: 'x' }), 'conflict');
    expect(await resolveConflict(fixture.ctx, id, { keepMine: true })).toMatchObject({
      state: 'verified',
      manualConflictDetected: false,
    });
    expect(soul()).toBe(MINE);
  });
});

describe('snapshots', () => {
  it('of prior and applied bytes lie in the DB and as plain files from the apply on', async () => {
    const id = await live(fixture);
    for (const snapshot of listSnapshots(fixture.db, id)) {
      expect(readFileSync(snapshot.plainPath!).equals(snapshot.content)).toBe(true);
    }
    expect(listSnapshots(fixture.db, id).map(({ kind, content }) => [kind, content.toString()])).toEqual([
      ['prior', DEFAULT_SOUL],
      ['applied', APPLIED],
    ]);
  });

  it('come back by cp with the DB, the plugin and git gone', async () => {
    const odd = Buffer.from('\uFEFFBe kind.\r\nBe brief.');
    writeFileSync(fixture.target, odd);
    const id = await live(fixture);
    const plainPath = listSnapshots(fixture.db, id)[0]!.plainPath!;
    fixture.db.close();
    for (const name of readdirSync(fixture.root)) {
      if (name.includes('.db')) rmSync(join(fixture.root, name));
    }
    expect(plainPath.startsWith(join(fixture.root, 'plugin-data'))).toBe(true);
    expect(basename(plainPath)).toMatch(new RegExp(`^${id}-prior-[0-9a-f]{12}\\.md$`));
    execFileSync('cp', [plainPath, fixture.target]);
    expect(readFileSync(fixture.target).equals(odd)).toBe(true);
    expect(statSync(plainPath).mode & 0o777).toBe(0o600);
  });

  it('are exported to a new file, never over one', async () => {
    const id = await live(fixture);
    const toFile = join(fixture.root, 'prior.md');
    snapshotExport(fixture.ctx, id, { toFile });
    expect(readFileSync(toFile, 'utf8')).toBe(DEFAULT_SOUL);
    expect(() => snapshotExport(fixture.ctx, id, { toFile })).toThrow(/exists/);
  });

  it('do not exist before an apply', async () => {
    const id = await approved(fixture);
    expect(() => snapshotExport(fixture.ctx, id)).toThrow(/no snapshot "prior"/);
  });
});
