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

export const positiveNumber = z
  .string()
  .regex(/^\d+(\.\d+)?$/, { error: 'must be a number above 0, like 2.50' })
  .transform(Number)
  .refine((value) => value > 0, { error: 'must be above 0' });

export const reason = z.string().trim().min(1, { error: 'must say something' }).max(2000);

export const flag = z.boolean().default(false);
