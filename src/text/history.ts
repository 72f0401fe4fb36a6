import type { HistoryItem, TransitionItem } from '../services/historyView.js';
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

export function historyText(look: Look, items: readonly HistoryItem[]): string {
  if (items.length === 0) return 'No experiments yet.';
  const rows = items.map((item) => [
    look.form === 'plain' ? `#${item.id}` : String(item.id),
    item.state,
    `${item.verdict ?? ''}${item.overridden ? ' (overridden)' : ''}`,
    item.tokens === null ? '' : `${count(item.tokens)} tok`,
    item.costUsd === null ? '' : usd(item.costUsd),
    editOf(item),
  ]);
  return table(look, ['id', 'state', 'verdict', 'tokens', 'cost', 'edit (~ rewrite, + insert, - delete)'], rows);
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
