import { chmodSync, lstatSync, readdirSync, realpathSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { isWithin } from './bubblewrap.js';

/**
 * Removes what would lead whoever reads a slot after a contained trial out of it, or make them wait: links to
 * elsewhere, pipes, sockets. Inside the container they led to other places than outside of it.
 */
export function defuse(dir: string, root = realpathSync(dir)): void {
  // A directory that its owner can't enter could not be read, nor removed with the slot.
  chmodSync(dir, 0o700);
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) defuse(path, root);
    else if (!entry.isFile() && !(entry.isSymbolicLink() && leadsInside(path, root))) unlinkSync(path);
  }
}

function leadsInside(link: string, root: string): boolean {
  try {
    const target = realpathSync(link);
    return isWithin(target, root) && (lstatSync(target).isFile() || lstatSync(target).isDirectory());
  } catch {
    return false;
  }
}
