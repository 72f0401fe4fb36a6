import type { Split } from '../domain/experiment.js';
import { KarpathyError, type Problem } from '../errors.js';
import { checkKind, userTurns, type CheckKind, type ToolPolicy } from '../schemas.js';
import { immediate } from '../store/database.js';
import {
  findScenario,
  insertScenario,
  listScenarios,
  replaceScenario,
  scenarioSha256,
  softDelete,
  type ScenarioRow,
} from '../store/scenarios.js';
import { requirePerson } from './authority.js';
import type { Context } from './context.js';
import { holdoutHidden, openHoldout, type HoldoutOptions } from './holdout.js';
import { requireProfile } from './requireProfile.js';
import { parseEntry, realTools, writtenEntry, type ScenarioEntry } from './scenarioEntry.js';
import { parseScenarioFile, stringifyScenario, stringifyScenarios } from './scenarioYaml.js';

/** Names of the toolsets a person typed, by scenario: those that may really run under `tools: real`. */
export type ConfirmedTools = Readonly<Record<string, readonly string[]>>;

export interface WriteOptions {
  readonly confirmedTools?: ConfirmedTools;
}

export interface ScenarioSummary {
  readonly id: number;
  readonly name: string;
  readonly split: Split;
  readonly group: string;
  readonly input: string;
  readonly turns: number;
  readonly checks: readonly CheckKind[];
  readonly tools: ToolPolicy;
  /** Whether an evaluation has used it: then an edit makes a new row. */
  readonly used: boolean;
}

export interface ScenarioList {
  readonly scenarios: readonly ScenarioSummary[];
  readonly train: number;
  readonly holdout: number;
  readonly holdoutShown: boolean;
}

export interface WriteReport {
  readonly added: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Adds one scenario; `written` is a mapping as in a YAML file.
 * @throws KarpathyError `bad_scenario` with all problems, `needs_person` while `tools: real` is not confirmed
 */
export function addScenario(ctx: Context, written: unknown, options: WriteOptions = {}): WriteReport {
  const entry = oneEntry(written);
  return writeEntries(ctx, [{ entry, replaces: null }], { ...options, mustBeNew: true });
}

/**
 * Changes one scenario. `patch` replaces single keys (null removes one); `entry` replaces the whole of it.
 * @throws KarpathyError `unknown_scenario`, `bad_scenario`, `needs_person`
 */
export function editScenario(
  ctx: Context,
  name: string,
  change: ({ readonly patch: Readonly<Record<string, unknown>> } | { readonly entry: unknown }) & WriteOptions,
): WriteReport {
  const row = requireScenario(ctx, name);
  const written = 'entry' in change ? change.entry : patched(writtenEntry(row), change.patch);
  return writeEntries(ctx, [{ entry: oneEntry(written), replaces: row }], { ...change, mustBeNew: false });
}

/** Removes a scenario from the suite; results that used it keep their snapshot. @throws KarpathyError `unknown_scenario` */
export function removeScenario(ctx: Context, name: string): { readonly name: string; readonly split: Split } {
  const row = requireScenario(ctx, name);
  immediate(ctx.db, () => softDelete(ctx.db, row.id, ctx.clock.now()));
  return { name: row.name, split: row.split };
}

/** @throws KarpathyError `needs_person` when the holdout is asked for without a person's agreement */
export function listSuite(ctx: Context, options: HoldoutOptions = {}): ScenarioList {
  const profile = requireProfile(ctx);
  const all = listScenarios(ctx.db, profile.id);
  const holdoutShown = openHoldout(ctx, { ...options, detail: 'scenario list' });
  const holdout = all.filter((row) => row.split === 'holdout').length;
  return {
    scenarios: all.filter((row) => holdoutShown || row.split === 'train').map(summaryOf),
    train: all.length - holdout,
    holdout,
    holdoutShown,
  };
}

/** One scenario with its YAML. @throws KarpathyError `unknown_scenario`, `needs_person` for a holdout scenario */
export function showScenario(
  ctx: Context,
  name: string,
  options: HoldoutOptions = {},
): { readonly summary: ScenarioSummary; readonly entry: ScenarioEntry; readonly yaml: string } {
  const row = requireScenario(ctx, name);
  if (row.split === 'holdout' && !openHoldout(ctx, { ...options, detail: `scenario ${name}` }))
    throw holdoutHidden(name);
  const entry = entryOf(row);
  return { summary: summaryOf(row), entry, yaml: stringifyScenario(entry) };
}

/** The suite as a YAML file; without the holdout unless it is asked for and agreed to. */
export function exportScenarios(
  ctx: Context,
  options: HoldoutOptions = {},
): { readonly yaml: string; readonly count: number } {
  const profile = requireProfile(ctx);
  const all = listScenarios(ctx.db, profile.id);
  const shown = openHoldout(ctx, { ...options, detail: 'scenario export' });
  const entries = all.filter((row) => shown || row.split === 'train').map(entryOf);
  const left = all.length - entries.length;
  const note =
    left === 0 ? null : `${left} holdout scenarios were left out (they stay hidden without --include-holdout).`;
  return { yaml: stringifyScenarios(entries, note), count: entries.length };
}

/**
 * Adds and updates scenarios by name, all or none. Scenarios that the file doesn't name stay as they are.
 * @throws KarpathyError `bad_scenario` with all problems, `needs_person` while `tools: real` is not confirmed
 */
export function importScenarios(
  ctx: Context,
  text: string,
  options: WriteOptions & { readonly source?: string } = {},
): WriteReport {
  const profile = requireProfile(ctx);
  const entries = parseScenarioFile(text, options.source ?? 'the scenario file');
  const changes = entries.map((entry) => ({ entry, replaces: findScenario(ctx.db, profile.id, entry.name) }));
  return writeEntries(ctx, changes, { ...options, mustBeNew: false });
}

/** What a surface has to ask before a write: the toolsets that would really run, by scenario, not yet confirmed. */
export function toolsToConfirm(ctx: Context, entries: readonly ScenarioEntry[]): Record<string, string[]> {
  const profile = requireProfile(ctx);
  const open = entries.filter((entry) => realTools(entry.spec).length > 0 && !isConfirmed(ctx, profile.id, entry));
  return Object.fromEntries(open.map((entry) => [entry.name, realTools(entry.spec)]));
}

interface Change {
  readonly entry: ScenarioEntry;
  readonly replaces: ScenarioRow | null;
}

/** @throws KarpathyError `bad_scenario` naming each scenario that holds a key or password of this profile */
function refuseSecrets(ctx: Context, changes: readonly Change[]): void {
  const holds = ({ entry }: Change) => ctx.scrub.text(JSON.stringify(entry)) !== JSON.stringify(entry);
  const problems = changes.filter(holds).map(({ entry }) => ({
    path: entry.name,
    message: 'contains the value of a key or password of this profile',
  }));
  if (problems.length === 0) return;
  throw new KarpathyError('bad_scenario', 'Scenarios are stored and sent to models as they are written.', {
    problems,
    hint: 'Write a made-up value instead.',
  });
}

function writeEntries(
  ctx: Context,
  changes: readonly Change[],
  options: WriteOptions & { readonly mustBeNew: boolean },
): WriteReport {
  const profile = requireProfile(ctx);
  refuseSecrets(ctx, changes);
  const report = { added: [] as string[], updated: [] as string[], unchanged: [] as string[] };
  immediate(ctx.db, () => {
    for (const { entry, replaces } of changes) refuseTakenName(ctx, entry, replaces);
    requireConfirmation(ctx, changes, options.confirmedTools ?? {});
    for (const { entry, replaces } of changes) {
      const same = replaces?.name === entry.name && replaces.contentSha256 === scenarioSha256(entry);
      report[same ? 'unchanged' : replaces === null ? 'added' : 'updated'].push(entry.name);
      if (same) continue;
      const confirmed = realTools(entry.spec).length > 0 ? ctx.actor : null;
      const next = { profileId: profile.id, ...entry, realToolsConfirmedBy: confirmed, at: ctx.clock.now() };
      if (replaces === null) insertScenario(ctx.db, next);
      else replaceScenario(ctx.db, replaces, next);
    }
  });
  return { ...report, warnings: changes.flatMap((change) => warningsOf(ctx, change)) };
}

function refuseTakenName(ctx: Context, entry: ScenarioEntry, replaces: ScenarioRow | null): void {
  const taken = findScenario(ctx.db, requireProfile(ctx).id, entry.name);
  if (taken === null || taken.id === replaces?.id) return;
  throw bad(
    [{ path: 'name', value: JSON.stringify(entry.name), message: 'is already the name of a scenario of this profile' }],
    {
      hint: `\`scenario edit ${entry.name}\` changes it.`,
    },
  );
}

function isConfirmed(ctx: Context, profileId: number, entry: ScenarioEntry): boolean {
  const row = findScenario(ctx.db, profileId, entry.name);
  return row?.realToolsConfirmedBy != null && row.contentSha256 === scenarioSha256(entry);
}

function requireConfirmation(ctx: Context, changes: readonly Change[], confirmed: ConfirmedTools): void {
  const wanted = toolsToConfirm(
    ctx,
    changes.map((change) => change.entry),
  );
  const open = Object.entries(wanted).filter(
    ([name, tools]) => [...new Set(confirmed[name] ?? [])].sort().join('\n') !== tools.join('\n'),
  );
  if (open.length > 0) {
    throw new KarpathyError(
      'needs_person',
      'These scenarios let tools really run on this machine; nothing was changed.',
      {
        problems: open.map(([name, tools]) => ({ path: name, message: `confirm by typing: ${tools.join(' ')}` })),
        hint: 'A person confirms by typing the names of the toolsets; `tools: simulated` needs no confirmation.',
      },
    );
  }
  if (Object.keys(wanted).length > 0) requirePerson(ctx, 'letting tools really run in trials');
}

function warningsOf(ctx: Context, { entry, replaces }: Change): string[] {
  const warnings: string[] = [];
  if (ctx.config.config.models.judge === null && entry.spec.checks.some((check) => check.judge !== undefined)) {
    warnings.push(
      `${entry.name} has a judge check, but no judge model is set: it can't be evaluated until there is one.`,
    );
  }
  if (replaces?.split === 'train' && entry.split === 'holdout' && replaces.firstUsedAt !== null) {
    warnings.push(`${entry.name} was a train scenario that the proposer may have seen: as a holdout it proves less.`);
  }
  return warnings;
}

function requireScenario(ctx: Context, name: string): ScenarioRow {
  const profile = requireProfile(ctx);
  const row = findScenario(ctx.db, profile.id, name);
  if (row !== null) return row;
  const known = listScenarios(ctx.db, profile.id, { split: 'train' }).map((s) => s.name);
  throw new KarpathyError('unknown_scenario', `There is no scenario "${name}".`, {
    hint:
      known.length === 0
        ? '`scenario add` or `scenario import FILE` makes one.'
        : `Train scenarios: ${known.slice(0, 20).join(', ')}${known.length > 20 ? ` and ${known.length - 20} more` : ''}.`,
  });
}

function oneEntry(written: unknown): ScenarioEntry {
  const { entry, problems } = parseEntry(written, '');
  if (entry === null) throw bad(problems);
  return entry;
}

function bad(problems: readonly Problem[], { hint }: { hint?: string } = {}): KarpathyError {
  return new KarpathyError('bad_scenario', 'The scenario is not valid; nothing was changed.', {
    problems,
    hint: hint ?? 'docs/scenarios.md shows every key and check with an example.',
  });
}

function patched(written: Record<string, unknown>, patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries({ ...written, ...patch }).filter(([, value]) => value !== null));
}

function entryOf({ name, split, group, spec }: ScenarioRow): ScenarioEntry {
  return { name, split, group, spec };
}

function summaryOf(row: ScenarioRow): ScenarioSummary {
  const turns = userTurns(row.spec);
  return {
    id: row.id,
    name: row.name,
    split: row.split,
    group: row.group,
    input: turns[0] ?? '',
    turns: turns.length,
    checks: row.spec.checks.map(checkKind),
    tools: row.spec.tools ?? 'simulated',
    used: row.firstUsedAt !== null,
  };
}
