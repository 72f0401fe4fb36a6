import { BACKUPS } from './backups.js';
import type { Kind } from './badInput.js';
import { BRIDGE } from './bridge.js';
import { kindOf } from './check.js';
import { COMMAND_LINE } from './commandLine.js';
import { CONFIG } from './config.js';
import { DATABASE } from './database.js';
import { EDITS } from './edits.js';
import { MODEL_ANSWERS } from './modelAnswers.js';
import { PATHS } from './paths.js';
import { SCENARIOS } from './scenarios.js';
import { CHAT } from './slash.js';
import { SPOOL_FILES, SPOOL_LINES } from './spool.js';
import { STATES } from './states.js';
import { TARGET_FILES } from './targetFiles.js';

export const CORPUS: readonly Kind[] = [
  kindOf('command line', COMMAND_LINE),
  CHAT,
  kindOf('commands in the wrong state', STATES),
  kindOf('paths', PATHS),
  kindOf('target files', TARGET_FILES),
  kindOf('configuration', CONFIG),
  kindOf('scenarios', SCENARIOS),
  kindOf('edits', EDITS),
  kindOf('answers of models', MODEL_ANSWERS),
  BRIDGE,
  SPOOL_LINES,
  SPOOL_FILES,
  kindOf('database files', DATABASE),
  kindOf('backups', BACKUPS),
];

/** The table of docs/bad-inputs.md: what there is of each kind, and what it ends in. */
export function corpusTable(): string {
  const rows = CORPUS.map(
    ({ kind, cases, errors }) => `| ${kind} | ${cases.length} | ${errors.map(code).join(', ')} |`,
  );
  return ['| kind | cases | ends in |', '|---|---|---|', ...rows, `| in all | ${corpusSize()} | |`].join('\n');
}

export function corpusSize(): number {
  return CORPUS.reduce((sum, { cases }) => sum + cases.length, 0);
}

const code = (error: string): string => (/^[a-z_]+$/.test(error) ? `\`${error}\`` : error);
