import type { Uninstalled } from '../services/uninstall.js';
import type { UninstallOptions, UninstallPlan } from '../services/uninstallPlan.js';
import { wrap, type Look } from './look.js';

/** Every profile, text, file and link that an uninstall touches, and what stays. */
export function uninstallPlanText(look: Look, plan: UninstallPlan, { texts }: UninstallOptions): string {
  const change = texts === 'restore' ? 'gets the bytes from before' : texts === 'keep' ? 'keeps the text of' : 'holds';
  return [
    ...part(
      look,
      'Texts',
      plan.texts.map((text) => `${text.file} ${change} experiment ${text.experiment} (${text.state})`),
    ),
    ...part(
      look,
      'Profiles',
      plan.homes.map(({ profile, home }) => `${profile}: ${home}`),
    ),
    ...part(
      look,
      'Entries of config.yaml, taken out by Hermes',
      plan.homes
        .filter(({ entries }) => entries.length > 0)
        .map(({ configFile, entries }) => `${configFile}: ${entries.join(', ')}`),
    ),
    ...part(
      look,
      'Links',
      plan.homes.flatMap(({ link }) => (link === null ? [] : [link])),
    ),
    ...part(look, 'Removed', [
      ...plan.remove,
      ...plan.homes.flatMap(({ directory }) => (directory === null ? [] : [directory])),
    ]),
    ...part(look, 'Kept (--purge removes them)', plan.keep),
    ...part(
      look,
      'Left for you',
      plan.left.map(({ what, why }) => `${what}: ${why}`),
    ),
  ]
    .join('\n')
    .trim();
}

export function uninstalledText(look: Look, { plan, done, left }: Uninstalled): string {
  const { green, yellow } = look.colors;
  return [
    `${green('✓')} karpathy-self-improve is removed. Restart running Hermes processes: they still know its commands.`,
    ...part(look, 'Done', done),
    ...part(look, 'Kept', plan.keep),
    ...(left.length === 0
      ? []
      : part(
          look,
          yellow('Not removed'),
          left.map(({ what, why }) => `${what}: ${why}`),
        )),
  ].join('\n');
}

function part(look: Look, title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  return ['', look.colors.bold(title), ...lines.map((line) => `  ${wrap(line, { width: look.width, indent: 4 })}`)];
}
