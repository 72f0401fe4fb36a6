import type { HistoryItem, HistoryPage, TransitionItem } from '../services/historyView.js';
import { count, shorten, timestamp, usd } from './figures.js';
import type { Look } from './look.js';
import { table } from './table.js';

function editOf(item: HistoryItem): string {
  switch (item.operation) {
    case null:
      return '(no edit was drafted)';
    case 'delete':
      return `- ${shorten(item.before ?? '', 60)}`;
    case 'insert':
    case 'rewrite':
      return `${item.operation === 'insert' ? '+' : '~'} ${shorten(item.after ?? '', 60)}`;
  }
}

export function historyText(look: Look, { experiments, before }: HistoryPage): string {
  if (experiments.length === 0) return before === null ? 'No experiments yet.' : olderText(look, before);
  const rows = experiments.map((item) => [
    look.form === 'plain' ? `#${item.id}` : String(item.id),
    item.state,
    `${item.verdict ?? ''}${item.overridden ? ' (overridden)' : ''}`,
    item.tokens === null ? '' : `${count(item.tokens)} tok`,
    item.costUsd === null ? '' : usd(item.costUsd),
    editOf(item),
  ]);
  const list = table(look, ['id', 'state', 'verdict', 'tokens', 'cost', 'edit (~ rewrite, + insert, - delete)'], rows);
  return before === null ? list : `${list}\n${olderText(look, before)}`;
}

/** A chat has no room for pages. */
function olderText(look: Look, before: number): string {
  if (look.form === 'plain') return 'There are older ones: `hermes karpathy history` in a terminal shows them.';
  return look.colors.dim(`There are older ones: \`hermes karpathy history --before ${before}\`, or --all.`);
}

export function transitionsText(look: Look, id: number, items: readonly TransitionItem[]): string {
  const rows = items.map((item) => [
    timestamp(item.at),
    item.from === null ? item.to : `${item.from} → ${item.to}`,
    item.actor,
    item.reason,
  ]);
  return [`Experiment ${id}`, table(look, ['when', 'change', 'by', 'why'], rows)].join('\n');
}
