import { createHash } from 'node:crypto';

/** What stands for the hash of a file that is not there. */
export const ABSENT = 'absent';

/** Lower-case hex SHA-256. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
