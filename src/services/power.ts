import { KarpathyError } from '../errors.js';
import { fewestDeletionGroups } from '../gate/deletion.js';
import { defaultLooks, fewestGroups } from '../gate/plan.js';
import { showP } from '../gate/verdict.js';

/** How many independent groups scenarios form. */
export function groupsOf(scenarios: readonly { readonly group: string }[]): number {
  return new Set(scenarios.map(({ group }) => group)).size;
}

/**
 * Too few groups can't give a keep whatever the candidate does: money is not spent on that question.
 * @param plan its alpha is what this consultation may spend; its margin is null for an edit that has to help
 * @throws KarpathyError `underpowered`
 */
export function requirePower(plan: { groups: number; epochs: number; alpha: number; margin: number | null }): void {
  const { groups, epochs, alpha, margin } = plan;
  const needed =
    margin === null
      ? fewestGroups(alpha * Math.max(...defaultLooks(epochs, groups).map((look) => look.share)))
      : fewestDeletionGroups({ alpha, epochs, margin });
  if (groups >= needed) return;
  const impossible = `The suite has ${groups} holdout group${groups === 1 ? '' : 's'};`;
  if (needed === Infinity) {
    throw new KarpathyError('underpowered', `${impossible} with ${epochs} epochs no deletion can be kept at all.`, {
      hint: 'Set gate.epochs to 6 or more.',
    });
  }
  throw new KarpathyError(
    'underpowered',
    `${impossible} below ${needed} no ${margin === null ? 'edit' : 'deletion'} can be kept at alpha ${showP(alpha)}, this consultation's share of the error budget.`,
    {
      hint: `Add at least ${needed - groups} holdout scenarios in groups of their own (\`karpathy scenario add\`), or run with --underpowered.`,
    },
  );
}
