import { describe, expect, test } from 'vitest';
import { readTarget } from '#src/ratchet/target.js';
import { doctor } from '#src/services/doctor.js';
import { recordIntent } from '#src/services/fileChange.js';
import { reconcileOperations } from '#src/services/reconcile.js';
import { getExperiment } from '#src/store/experiments.js';
import { testContext, type TestContext } from '../../support/context.js';
import { live } from '../../support/experiments.js';

/** Leaves what a process leaves that dies after its intent to revert. */
async function interruptedRevert(): Promise<TestContext> {
  const fixture = testContext();
  const experiment = getExperiment(fixture.db, await live(fixture));
  const file = readTarget(experiment.targetProfileRoot, 'SOUL.md');
  recordIntent(
    fixture.ctx,
    {
      experiment,
      kind: 'revert',
      to: 'reverted',
      path: file.path,
      mode: file.mode,
      prior: file.bytes,
      next: experiment.baseContent!,
      actor: 'person@cli',
      reason: 'x',
    },
    { tree: null, reason: 'not in a work tree' },
  );
  return fixture;
}

async function said(fixture: TestContext, level: 'ok' | 'error'): Promise<string> {
  const findings = (await doctor(fixture.ctx)).filter((found) => found.area === 'database' && found.level === level);
  return findings.map((found) => found.message).join('\n');
}

describe('interrupted operations', () => {
  test('are shown with what became of them', async () => {
    const fixture = await interruptedRevert();
    await reconcileOperations(fixture.ctx);
    expect(await said(fixture, 'ok')).toMatch(
      /The revert of experiment 1 was interrupted; a later start finished it \(2026-01-05T12:00/,
    );
  });

  test('that cannot be ended are an error', async () => {
    expect(await said(await interruptedRevert(), 'error')).toContain('was interrupted and cannot be ended');
  });
});
