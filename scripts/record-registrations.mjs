// Records what the TypeScript `register` registers into registrations.json, which the Python shim follows.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { register } from '../dist/index.mjs';

const path = join(dirname(fileURLToPath(import.meta.url)), '..', 'registrations.json');
const recorded = { hooks: [], commands: [], cli_commands: [] };
register({
  registerHook: (name) => recorded.hooks.push(name),
  registerCommand: ({ name, description, argsHint }) =>
    recorded.commands.push({ name, description, args_hint: argsHint }),
  registerCliCommand: ({ name, help, description }) => recorded.cli_commands.push({ name, help, description }),
});
const text = `${JSON.stringify(recorded, null, 2)}\n`;
// Unchanged content is not written again: the sources may lie in a read-only place.
let before = null;
try {
  before = readFileSync(path, 'utf8');
} catch {
  // The first recording.
}
if (text !== before) writeFileSync(path, text);
