import * as z from 'zod';
import { checkTexts, databaseToLeave, uninstall } from '../../services/uninstall.js';
import { planUninstall, type UninstallOptions, type UninstallPlan } from '../../services/uninstallPlan.js';
import { uninstalledText, uninstallPlanText } from '../../text/uninstall.js';
import { agree } from '../agree.js';
import { command, type Session } from '../command.js';
import { flag } from '../inputs.js';

export const uninstallCommand = command({
  path: 'uninstall',
  group: 'Run',
  summary: 'remove the plugin from all profiles of this Hermes root',
  details:
    'Shows every profile, text, file and link it will touch, asks, and takes them away: entries of config.yaml, links, installed copies, runtime, sandboxes, markers. The records (controller DB, snapshots, backups, event spool) stay unless --purge is given. While edits are in force, say what becomes of their texts. Refused while a job runs. An uninstall that was interrupted can be given again.',
  options: [
    { flags: '--restore', summary: 'put back the exact bytes from before every edit that is live or verified' },
    { flags: '--keep', summary: 'leave the texts as they are' },
    { flags: '--purge', summary: 'remove the records, too, and our section of config.yaml' },
    { flags: '--dry-run', summary: 'only show what would be touched' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['uninstall --dry-run', 'uninstall --restore --purge', 'uninstall --keep'],
  withoutTerminal: 'Add --yes to skip the question.',
  bare: true,
  withoutDatabase: true,
  input: z
    .object({ restore: flag, keep: flag, purge: flag, dryRun: flag, yes: flag })
    .refine((given) => !(given.restore && given.keep), { error: 'takes --restore or --keep, not both' }),
  async run(session, { restore, keep, purge, dryRun, yes }) {
    const given: UninstallOptions = { texts: restore ? 'restore' : keep ? 'keep' : null, purge };
    const plan = await planOf(session, given);
    if (dryRun) return { data: { dryRun: true, plan }, text: (look) => uninstallPlanText(look, plan, given) };
    const options = { ...given, texts: given.texts ?? (await askTexts(session, plan, yes)) };
    checkTexts(plan.texts, options.texts);
    await agree(session, {
      what: 'removing the plugin',
      question: purge ? 'Remove all of it, records included?' : 'Remove it?',
      preview: uninstallPlanText(session.look, plan, options),
      yes,
    });
    const done = await uninstall(session.ctx, options);
    return {
      data: done,
      text: (look) => uninstalledText(look, done),
      exitCode: done.left.length > plan.left.length ? 1 : 0,
    };
  },
});

async function planOf({ ctx }: Session, options: UninstallOptions): Promise<UninstallPlan> {
  const db = databaseToLeave(ctx, options);
  try {
    return await planUninstall(ctx, db, options);
  } finally {
    db?.close();
  }
}

/** Null when no edit is in force, or nobody can be asked: then the service names both ways. */
async function askTexts(session: Session, plan: UninstallPlan, yes: boolean): Promise<UninstallOptions['texts']> {
  if (plan.texts.length === 0 || yes || !session.canAsk) return null;
  const chosen = await session.ask.select('Edits are in force. What becomes of their texts?', [
    { value: 'restore', label: 'Put the exact bytes from before them back' },
    { value: 'keep', label: 'Leave the files as they are' },
  ]);
  return chosen === 'restore' ? 'restore' : 'keep';
}
