import type { Context } from '../context.js';

export interface Finding {
  readonly level: 'ok' | 'warn' | 'error';
  readonly area: 'installation' | 'host' | 'database' | 'target' | 'models' | 'suite' | 'budget' | 'spool';
  readonly message: string;
  /** What to do about it: one sentence, or a command to run. */
  readonly fix?: string;
}

export type DoctorCheck = (
  ctx: Context,
  options: { readonly skipModels: boolean },
) => readonly Finding[] | Promise<readonly Finding[]>;

type Say = (message: string, fix?: string) => Finding;

/** Makes the findings of one area. */
export function findingsOf(area: Finding['area']): { readonly ok: Say; readonly warn: Say; readonly error: Say } {
  const at =
    (level: Finding['level']): Say =>
    (message, fix) => ({ level, area, message, ...(fix === undefined ? {} : { fix }) });
  return { ok: at('ok'), warn: at('warn'), error: at('error') };
}
