import * as z from 'zod';

/** How the values of a command line are read. */

export const experimentId = z
  .string()
  .regex(/^#?\d{1,15}$/, { error: 'must be the number of an experiment; `history` lists them' })
  .transform((text) => Number(text.replace('#', '')));

export const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'must be a whole number, 0 or more' })
  .transform(Number);

const UNITS = { h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const SINCE_FORM = 'must be a day like 2026-05-01, or how long ago: 12h, 30d, 8w';

/** JavaScript takes the 31st of February for the 3rd of March. */
function isDay(text: string): boolean {
  const time = Date.parse(text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

/** A point in time, as milliseconds since the epoch once the time of asking is known. A day begins in UTC. */
export const since = z
  .string()
  .regex(/^(\d{4}-\d\d-\d\d|\d{1,6}[hdw])$/, { error: SINCE_FORM })
  .refine((text) => !text.includes('-') || isDay(text), { error: SINCE_FORM })
  .transform((text) => {
    if (text.includes('-')) return () => Date.parse(text);
    const unit = UNITS[text.slice(-1) as keyof typeof UNITS];
    return (now: number) => now - Number(text.slice(0, -1)) * unit;
  });

export const positiveNumber = z
  .string()
  .regex(/^\d+(\.\d+)?$/, { error: 'must be a number above 0, like 2.50' })
  .transform(Number)
  .refine((value) => value > 0, { error: 'must be above 0' });

export const reason = z.string().trim().min(1, { error: 'must say something' }).max(2000);

export const flag = z.boolean().default(false);
