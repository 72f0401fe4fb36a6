import { beforeEach, describe, expect, test } from 'vitest';
import { isKarpathyError, type KarpathyError } from '#src/errors.js';
import type { Context } from '#src/services/context.js';
import {
  addScenario,
  editScenario,
  exportScenarios,
  importScenarios,
  listSuite,
  removeScenario,
  showScenario,
} from '#src/services/scenarios.js';
import { listConsultations } from '#src/store/holdoutConsultations.js';
import { findScenario, findScenarioById, listScenarios, markUsed, snapshotsForPlan } from '#src/store/scenarios.js';
import { testContext, type TestContext } from '../../support/context.js';

let fixture: TestContext;
let ctx: Context;

beforeEach(() => {
  fixture = testContext();
  ctx = fixture.ctx;
});

function written(name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, input: `say ${name}`, checks: [{ must_contain: name }], ...more };
}

function failure(work: () => unknown): KarpathyError {
  try {
    work();
  } catch (error) {
    if (isKarpathyError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function row(name: string) {
  const found = findScenario(ctx.db, fixture.profileId, name);
  if (found === null) throw new Error(`no scenario ${name}`);
  return found;
}

function names(): string[] {
  return listScenarios(ctx.db, fixture.profileId).map((s) => s.name);
}

describe('adding and changing', () => {
  test('an added scenario is its own group and in train unless it says otherwise', () => {
    expect(addScenario(ctx, written('a'))).toEqual({ added: ['a'], updated: [], unchanged: [], warnings: [] });
    addScenario(ctx, written('b', { split: 'holdout', group: 'g' }));
    expect(snapshotsForPlan(ctx.db, fixture.profileId).map(({ name, split, group }) => [name, split, group])).toEqual([
      ['a', 'train', 'a'],
      ['b', 'holdout', 'g'],
    ]);
  });

  test('a name that is taken is refused and nothing changes', () => {
    addScenario(ctx, written('a'));
    const before = row('a');
    expect(failure(() => addScenario(ctx, written('a', { input: 'other' })))).toMatchObject({
      code: 'bad_scenario',
      exitCode: 2,
    });
    addScenario(ctx, written('b'));
    expect(failure(() => editScenario(ctx, 'b', { patch: { name: 'a' } })).code).toBe('bad_scenario');
    expect(row('a')).toEqual(before);
  });

  test('a patch changes single keys, and null removes one', () => {
    addScenario(ctx, written('a', { note: 'old', max_turns: 3 }));
    const before = row('a');
    expect(editScenario(ctx, 'a', { patch: { note: null, split: 'holdout' } }).updated).toEqual(['a']);
    expect(row('a')).toMatchObject({ id: before.id, split: 'holdout' });
    expect(row('a').spec).toEqual({ input: 'say a', checks: [{ must_contain: 'a' }], max_turns: 3 });
  });

  test('an invalid change is refused with its path and nothing changes', () => {
    addScenario(ctx, written('a'));
    const before = row('a');
    const error = failure(() => editScenario(ctx, 'a', { patch: { checks: [{ regex: '(' }] } }));
    expect(error.problems.map((p) => p.path)).toEqual(['checks[0].regex']);
    expect(row('a')).toEqual(before);
  });

  test('a used scenario is kept as it was; the change is a new row with its name', () => {
    addScenario(ctx, written('a'));
    const old = row('a');
    markUsed(ctx.db, [old.id], 5);
    editScenario(ctx, 'a', { patch: { input: 'new' } });
    expect(row('a').id).not.toBe(old.id);
    expect(row('a').spec.input).toBe('new');
    expect(findScenarioById(ctx.db, old.id)).toMatchObject({
      spec: old.spec,
      firstUsedAt: 5,
      deletedAt: ctx.clock.now(),
    });
    expect(ctx.db.prepare('SELECT replaced_by FROM scenarios WHERE id = ?').pluck().get(old.id)).toBe(row('a').id);
    expect(() => ctx.db.prepare("UPDATE scenarios SET spec = '{}' WHERE id = ?").run(old.id)).toThrow(
      'never rewritten',
    );
  });

  test('the same content again is unchanged, whatever the order of its keys', () => {
    addScenario(ctx, written('a', { max_turns: 3, note: 'n' }));
    markUsed(ctx.db, [row('a').id], 5);
    const id = row('a').id;
    const again = { note: 'n', max_turns: 3, checks: [{ must_contain: 'a' }], input: 'say a', group: 'a', name: 'a' };
    expect(editScenario(ctx, 'a', { entry: again }).unchanged).toEqual(['a']);
    expect(row('a').id).toBe(id);
  });

  test('a removed scenario leaves the suite, its row stays, and its name is free', () => {
    addScenario(ctx, written('a'));
    const { id } = row('a');
    markUsed(ctx.db, [id], 5);
    expect(removeScenario(ctx, 'a')).toEqual({ name: 'a', split: 'train' });
    expect(names()).toEqual([]);
    expect(findScenarioById(ctx.db, id)?.deletedAt).toBe(ctx.clock.now());
    addScenario(ctx, written('a'));
    expect(names()).toEqual(['a']);
  });

  test('an unknown one is refused without naming holdout scenarios', () => {
    addScenario(ctx, written('seen'));
    addScenario(ctx, written('hidden', { split: 'holdout' }));
    const error = failure(() => removeScenario(ctx, 'nope'));
    expect(error.code).toBe('unknown_scenario');
    expect(error.hint).toContain('seen');
    expect(error.hint).not.toContain('hidden');
  });

  test('a judge check without a judge, and a train scenario turned holdout, are said', () => {
    expect(addScenario(ctx, written('a', { checks: [{ judge: 'is kind' }] })).warnings).toEqual([
      expect.stringContaining('no judge model'),
    ]);
    markUsed(ctx.db, [row('a').id], 5);
    const patch = { split: 'holdout', checks: [{ must_contain: 'x' }] };
    expect(editScenario(ctx, 'a', { patch }).warnings).toEqual([expect.stringContaining('proves less')]);
  });

  test('a profile that is not set up says what to do', () => {
    const other = testContext({ initialised: false });
    expect(failure(() => addScenario(other.ctx, written('a')))).toMatchObject({ code: 'not_initialised', exitCode: 3 });
  });

  test('each profile has its own suite', () => {
    const other = testContext({ root: fixture.root, profile: 'other', soul: 'x\n' });
    addScenario(ctx, written('a'));
    addScenario(other.ctx, written('a'));
    removeScenario(other.ctx, 'a');
    expect(names()).toEqual(['a']);
  });
});

describe('tools that really run', () => {
  const real = { tools: 'real', toolsets: ['terminal', 'file'] };

  test('need a person who types exactly their names', () => {
    const open = failure(() => addScenario(ctx, written('a', real)));
    expect(open).toMatchObject({ code: 'needs_person', exitCode: 3 });
    expect(open.problems).toEqual([{ path: 'a', message: 'confirm by typing: file terminal' }]);
    for (const typed of [['terminal'], ['terminal', 'file', 'web'], []]) {
      expect(failure(() => addScenario(ctx, written('a', real), { confirmedTools: { a: typed } })).code).toBe(
        'needs_person',
      );
    }
    expect(names()).toEqual([]);
    addScenario(ctx, written('a', real), { confirmedTools: { a: ['terminal', 'file'] } });
    expect(row('a').realToolsConfirmedBy).toBe('person@cli');
  });

  test("can not be confirmed from an agent's own shell", () => {
    const agent = testContext({ surface: { agentShell: true } });
    const add = () => addScenario(agent.ctx, written('a', real), { confirmedTools: { a: ['terminal', 'file'] } });
    expect(failure(add).code).toBe('needs_person');
    expect(listScenarios(agent.db, agent.profileId)).toEqual([]);
  });

  test('stay confirmed while nothing changes, and are asked again when something does', () => {
    const yaml =
      'scenarios:\n  - {name: a, input: i, tools: real, toolsets: [terminal], checks: [{tool_used: terminal}]}\n';
    importScenarios(ctx, yaml, { confirmedTools: { a: ['terminal'] } });
    expect(importScenarios(ctx, yaml).unchanged).toEqual(['a']);
    expect(row('a').realToolsConfirmedBy).toBe('person@cli');
    expect(failure(() => importScenarios(ctx, yaml.replace('input: i', 'input: j'))).code).toBe('needs_person');
    editScenario(ctx, 'a', { patch: { tools: null } });
    expect(row('a').realToolsConfirmedBy).toBeNull();
  });
});

describe('import and export', () => {
  const yaml = `scenarios:
  - {name: a, input: i, checks: [{must_contain: x}]}
  - {name: b, split: holdout, input: i, checks: [{must_contain: y}]}
`;

  test('import says what was added, updated and unchanged, and leaves the others', () => {
    addScenario(ctx, written('other'));
    expect(importScenarios(ctx, yaml)).toMatchObject({ added: ['a', 'b'], updated: [], unchanged: [] });
    const changed = yaml.replace('must_contain: x', 'must_contain: z');
    expect(importScenarios(ctx, changed)).toMatchObject({ added: [], updated: ['a'], unchanged: ['b'] });
    expect(names()).toEqual(['other', 'a', 'b']);
  });

  test('import is all or nothing', () => {
    const broken = `${yaml}  - {name: c, input: i, checks: [{regex: "("}]}\n`;
    expect(failure(() => importScenarios(ctx, broken)).problems[0]?.path).toBe('scenarios[2].checks[0].regex');
    const unconfirmed = `${yaml}  - {name: c, input: i, tools: real, toolsets: [web], checks: [{tool_used: x}]}\n`;
    expect(failure(() => importScenarios(ctx, unconfirmed)).code).toBe('needs_person');
    expect(names()).toEqual([]);
  });

  test('an export with the holdout imports into another profile as it was', () => {
    importScenarios(ctx, yaml);
    const { yaml: exported, count } = exportScenarios(ctx, { includeHoldout: true, privileged: true });
    expect(count).toBe(2);
    const other = testContext();
    importScenarios(other.ctx, exported);
    const suite = (c: TestContext) => listScenarios(c.db, c.profileId).map((s) => [s.name, s.contentSha256]);
    expect(suite(other)).toEqual(suite(fixture));
  });

  test('an export without it says how many were left out', () => {
    importScenarios(ctx, yaml);
    const { yaml: exported, count } = exportScenarios(ctx);
    expect(count).toBe(1);
    expect(exported).toMatch(/^# 1 holdout/);
    expect(exported).not.toContain('name: b');
  });
});

describe('the holdout', () => {
  beforeEach(() => {
    addScenario(ctx, written('open'));
    addScenario(ctx, written('secret', { split: 'holdout' }));
  });

  test('is counted but not listed', () => {
    const list = listSuite(ctx);
    expect(list).toMatchObject({ train: 1, holdout: 1, holdoutShown: false });
    expect(list.scenarios.map((s) => s.name)).toEqual(['open']);
    expect(JSON.stringify(list)).not.toContain('secret');
    expect(listConsultations(ctx.db, fixture.profileId)).toEqual([]);
  });

  test("is refused without the flag and a person's agreement", () => {
    expect(failure(() => listSuite(ctx, { includeHoldout: true })).code).toBe('needs_person');
    expect(failure(() => showScenario(ctx, 'secret')).code).toBe('needs_person');
    expect(failure(() => showScenario(ctx, 'secret', { privileged: true })).code).toBe('needs_person');
    expect(listConsultations(ctx.db, fixture.profileId)).toEqual([]);
    expect(showScenario(ctx, 'open').yaml).toContain('say open');
  });

  test('is shown with both, and each view is recorded', () => {
    const privileged = { includeHoldout: true, privileged: true };
    expect(listSuite(ctx, privileged).scenarios.map((s) => s.name)).toEqual(['open', 'secret']);
    expect(showScenario(ctx, 'secret', privileged).yaml).toContain('say secret');
    exportScenarios(ctx, privileged);
    expect(listConsultations(ctx.db, fixture.profileId).map((c) => [c.kind, c.actor, c.detail])).toEqual([
      ['view', 'person@cli', 'scenario list'],
      ['view', 'person@cli', 'scenario secret'],
      ['view', 'person@cli', 'scenario export'],
    ]);
  });

  test("stays hidden from an agent's own shell", () => {
    const agent = testContext({ root: fixture.root, surface: { agentShell: true } });
    expect(failure(() => listSuite(agent.ctx, { includeHoldout: true, privileged: true })).code).toBe('needs_person');
    expect(listConsultations(ctx.db, fixture.profileId)).toEqual([]);
  });
});
