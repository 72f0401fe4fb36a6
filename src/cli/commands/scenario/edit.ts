import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod';
import { KarpathyError } from '#src/errors.js';
import { parseEntry } from '#src/services/scenarioEntry.js';
import { editScenario, showScenario } from '#src/services/scenarios.js';
import { parseScenarioYaml } from '#src/services/scenarioYaml.js';
import { command, type Session } from '../../command.js';
import { confirmTools } from '../../confirmTools.js';
import { readInput } from '../../files.js';
import { flag } from '../../inputs.js';
import { agreeToHoldout } from './holdout.js';
import { writeAnswer } from './report.js';

export const scenarioEditCommand = command({
  path: 'scenario edit',
  group: 'Set up',
  summary: 'change one scenario in your editor, or from a file',
  details: 'A scenario that an evaluation has used is never rewritten: results keep what they were measured on.',
  arguments: [{ name: '<name>', summary: 'name of the scenario' }],
  options: [
    { flags: '--from <file>', summary: 'the new scenario as YAML; - reads standard input' },
    { flags: '--include-holdout', summary: 'needed to open a holdout scenario in the editor' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: ['scenario edit refund', 'scenario edit refund --from refund.yaml'],
  withoutTerminal: 'Give the new scenario with --from FILE.',
  input: z.object({ name: z.string(), from: z.string().optional(), includeHoldout: flag, yes: flag }),
  async run(session, { name, from, includeHoldout, yes }) {
    const text =
      from === undefined
        ? await edited(
            session,
            name,
            showScenario(session.ctx, name, await agreeToHoldout(session, { includeHoldout, yes })).yaml,
          )
        : await readInput(session.io, from);
    const written = parseScenarioYaml(text, from ?? `${name}.yaml`);
    const { entry } = parseEntry(written, '');
    const confirmedTools = entry === null ? {} : await confirmTools(session, [entry]);
    return writeAnswer(editScenario(session.ctx, name, { entry: written, confirmedTools }));
  },
});

/** Opens $VISUAL or $EDITOR on the text and returns what was saved. */
async function edited({ io, canAsk }: Session, name: string, yaml: string): Promise<string> {
  const editor = io.env.VISUAL ?? io.env.EDITOR;
  if (!canAsk || editor === undefined || editor.trim() === '') {
    throw new KarpathyError('bad_usage', canAsk ? 'No editor is set.' : 'There is no terminal to open an editor on.', {
      hint: `Set EDITOR, or give the new scenario with \`hermes karpathy scenario edit ${name} --from FILE\`.`,
    });
  }
  const directory = mkdtempSync(join(tmpdir(), 'karpathy-scenario-'));
  try {
    const path = join(directory, `${name}.yaml`);
    writeFileSync(path, yaml, { mode: 0o600 });
    // EDITOR may hold arguments (`code --wait`) and quoting, which only a shell reads as the person meant them.
    const { exitCode } = await execa(`${editor} "$KARPATHY_EDITED_FILE"`, {
      shell: true,
      stdio: 'inherit',
      reject: false,
      env: { ...io.env, KARPATHY_EDITED_FILE: path },
      extendEnv: false,
    });
    if (exitCode !== 0) throw new KarpathyError('bad_usage', 'The editor ended with an error; nothing was changed.');
    return readFileSync(path, 'utf8');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
