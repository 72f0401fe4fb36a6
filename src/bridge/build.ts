import { readFileSync } from 'node:fs';
import * as z from 'zod';

const buildSchema = z.object({ build: z.string(), version: z.string() });
export type BuildIdentity = z.infer<typeof buildSchema>;

/** What this bundle was built from: `build.json`, which the build writes beside it. @throws when it is missing */
export function ownBuild(): BuildIdentity {
  return buildSchema.parse(JSON.parse(readFileSync(new URL('./build.json', import.meta.url), 'utf8')));
}
