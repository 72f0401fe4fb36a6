import { join } from 'node:path';

/** The repository's root, which is the plugin's directory. */
export const PROJECT_DIR = join(import.meta.dirname, '..', '..');
