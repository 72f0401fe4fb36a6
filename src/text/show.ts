import { difference, type ArmResult, type ScenarioResultView, type ShowView } from '../services/show.js';
import { wordsText } from './diff.js';
import { plural, points } from './figures.js';
import { freshText } from './fresh.js';
import { guardrailTable } from './guardrails.js';
import { field, type Look } from './look.js';
import { nextText } from './next.js';
import { experimentLines, type ExperimentLook } from './status.js';
import { table } from './table.js';
import { verdictText } from './verdict.js';

export function showText(look: Look, view: ShowView, options: ExperimentLook): string {
  const { bold } = look.colors;
  const parts = [experimentLines(look, view, options).join('\n')];
  if (view.rationale !== null && view.rationale !== '') parts.push(field(look, 'why', view.rationale));
  if (view.diff.words.length > 0) parts.push(`${bold('Change, by words')}\n${wordsText(look, view.diff.words)}`);
  parts.push(...evidenceParts(look, view));
  if (view.results.length > 0) parts.push(`${bold('Scenarios')}\n${resultsText(look, view.results)}`);
  const guardrails = view.window?.guardrails ?? null;
  if (guardrails !== null && guardrails.sessionsAfter > 0 && look.form === 'terminal') {
    parts.push(`${bold('Sessions since the apply, against before')}\n${guardrailTable(look, guardrails)}`);
  }
  parts.push(provenanceText(look, view));
  // What this very command shows is no next step.
  const commands = view.next.commands.filter((words) => words !== `show ${view.id}`);
  parts.push(nextText(look, { ...view.next, commands }));
  return parts.filter((part) => part !== '').join('\n\n');
}

/** Verdict and fresh comparison, each under its title. */
export function evidenceParts(look: Look, view: Pick<ShowView, 'verdict' | 'evidence' | 'fresh'>): string[] {
  const { bold } = look.colors;
  return [
    ...(view.verdict === null
      ? []
      : [`${bold('Verdict, in plain words')}\n${verdictText(look, view.verdict, view.evidence)}`]),
    ...(view.fresh === null ? [] : [`${bold('Fresh trials, the record')}\n${freshText(look, view.fresh)}`]),
  ];
}

function armText(arm: ArmResult | null): string {
  if (arm === null) return 'no data';
  return `${arm.passes}/${arm.epochs}${arm.infra > 0 ? ` (${arm.infra} lost)` : ''}`;
}

/** Both arms per scenario; in a chat only a summary per split and the scenarios that changed. */
export function resultsText(look: Look, results: readonly ScenarioResultView[]): string {
  const rows = results.map((result) => {
    const delta = difference(result);
    const paint = delta > 0 ? look.colors.green : delta < 0 ? look.colors.red : look.colors.dim;
    return [
      result.split,
      armText(result.incumbent),
      armText(result.candidate),
      paint(delta === 0 ? 'same' : points(delta)),
      result.name ?? look.colors.dim('(hidden)'),
    ];
  });
  if (look.form === 'terminal') return table(look, ['split', 'without', 'with', 'change', 'scenario'], rows);
  return (['train', 'holdout'] as const).flatMap((split) => summaryLine(split, results)).join('\n');
}

function summaryLine(split: 'train' | 'holdout', results: readonly ScenarioResultView[]): string[] {
  const own = results.filter((result) => result.split === split);
  if (own.length === 0) return [];
  const better = own.filter((result) => difference(result) > 0).length;
  const worse = own.filter((result) => difference(result) < 0).length;
  return [
    `${split}: ${plural(own.length, 'scenario')}, ${better} better, ${worse} worse, ${own.length - better - worse} same`,
  ];
}

function provenanceText(look: Look, { provenance, metadata, closingReason }: ShowView): string {
  const rows: [string, string | null][] = [
    ['judge', provenance.judge],
    [
      'approved',
      provenance.approvedBy === null
        ? null
        : `by ${provenance.approvedBy}${provenance.autoRevertAgreed ? ', reverts itself on proven harm' : ''}`,
    ],
    ['closed', closingReason],
    ['lines', metadata.addedLines === null ? null : `+${metadata.addedLines} -${metadata.removedLines ?? 0}`],
    ['git', gitText(provenance)],
    [
      'tested as',
      provenance.evidenceFingerprint === null
        ? null
        : `fingerprint ${provenance.evidenceFingerprint.slice(0, 12)} of model, scenarios, evaluator and host`,
    ],
  ];
  const shown = look.form === 'plain' ? rows.filter(([label]) => label === 'closed') : rows;
  return shown.flatMap(([label, text]) => (text === null ? [] : [field(look, label, text)])).join('\n');
}

function gitText(provenance: ShowView['provenance']): string | null {
  const commits = [
    ...(provenance.applyCommit === null ? [] : [`apply ${provenance.applyCommit.slice(0, 10)}`]),
    ...(provenance.revertCommit === null ? [] : [`revert ${provenance.revertCommit.slice(0, 10)}`]),
  ];
  const text = [...commits, ...(provenance.gitNote === null ? [] : [provenance.gitNote])].join(', ');
  return text === '' ? null : text;
}
