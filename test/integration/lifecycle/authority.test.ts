import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import { isKarpathyError } from '#src/errors.js';
import { applyExperiment } from '#src/services/apply.js';
import { approve } from '#src/services/approve.js';
import { requirePerson } from '#src/services/authority.js';
import type { Surface } from '#src/services/context.js';
import { finish } from '#src/services/finish.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { history } from '#src/store/experiments.js';
import type { WrittenConfig } from '#src/config.js';
import { testContext, type TestContext } from '../../support/context.js';
import { approved, judged, live } from '../../support/experiments.js';

let fixture: TestContext;
beforeEach(() => {
  fixture = testContext();
});

/** The same profile seen from another surface. */
function from(surface: Partial<Surface>, config: WrittenConfig = {}) {
  return testContext({ root: fixture.root, surface, config }).ctx;
}

function decides(surface: Partial<Surface>, config?: WrittenConfig): boolean {
  try {
    requirePerson(from(surface, config), 'approving a change');
    return true;
  } catch (error) {
    if (isKarpathyError(error) && error.code === 'needs_person' && error.exitCode === 3) return false;
    throw error;
  }
}

const allowed: WrittenConfig = { approvals: { allow_noninteractive: true } };

describe('who may decide', () => {
  it('a person at a terminal', () => {
    expect(decides({ kind: 'cli', interactive: true })).toBe(true);
  });

  it("not an agent's own shell, whatever the configuration says", () => {
    expect(decides({ kind: 'cli', interactive: true, agentShell: true })).toBe(false);
    expect(decides({ kind: 'cli', interactive: false, agentShell: true }, allowed)).toBe(false);
  });

  it('not a program without a terminal, unless the configuration allows it', () => {
    expect(decides({ kind: 'cli', interactive: false })).toBe(false);
    expect(decides({ kind: 'cli', interactive: false }, allowed)).toBe(true);
    expect(decides({ kind: 'library', interactive: false })).toBe(false);
  });

  it('a person in a local chat, whose process carries the session of the agent as well', () => {
    expect(decides({ kind: 'slash', interactive: false, agentShell: true, platform: null })).toBe(true);
  });

  it('in a gateway only where the platform is named', () => {
    const slash: Partial<Surface> = { kind: 'slash', interactive: false, platform: 'telegram' };
    expect(decides(slash)).toBe(false);
    expect(decides(slash, { slash: { allow_changes_from: ['signal'] } })).toBe(false);
    expect(decides(slash, { slash: { allow_changes_from: ['telegram'] } })).toBe(true);
  });

  it.each(['tick', 'work'] as const)('never the background (%s)', (kind) => {
    expect(decides({ kind, interactive: true }, allowed)).toBe(false);
  });
});

describe("from an agent's own shell", () => {
  const agent = () => from({ kind: 'cli', interactive: true, agentShell: true });
  const refused = async (work: Promise<unknown>, id: number) => {
    const before = readFileSync(fixture.target, 'utf8');
    const steps = history(fixture.db, id).length;
    await expect(work).rejects.toMatchObject({ code: 'needs_person', exitCode: 3 });
    expect(readFileSync(fixture.target, 'utf8')).toBe(before);
    expect(history(fixture.db, id)).toHaveLength(steps);
  };

  it('approve is refused', async () => {
    const id = await judged(fixture);
    await refused(approve(agent(), id), id);
  });

  it('apply is refused', async () => {
    const id = await approved(fixture);
    await refused(applyExperiment(agent(), id), id);
  });

  it('revert, finish and resolve are refused', async () => {
    const id = await live(fixture);
    await refused(revertExperiment(agent(), id, { reason: 'x' }), id);
    await refused(finish(agent(), id, { revert: true }), id);
    await refused(resolveConflict(agent(), id, { keepMine: true }), id);
  });
});

describe('the actor', () => {
  it('is recorded by surface', async () => {
    const id = await judged(fixture);
    await approve(from({ kind: 'slash', interactive: false }), id);
    expect(history(fixture.db, id).at(-1)).toMatchObject({ actor: 'person@slash', toState: 'approved' });
  });
});
