import { parse } from 'yaml';
import * as z from 'zod';
import { KarpathyError } from '#src/errors.js';
import { parseEntry } from '#src/services/scenarioEntry.js';
import { addScenario } from '#src/services/scenarios.js';
import { parseScenarioYaml } from '#src/services/scenarioYaml.js';
import { command } from '../../command.js';
import { confirmTools } from '../../confirmTools.js';
import { readInput } from '../../files.js';
import { writeAnswer } from './report.js';

/** Their values are numbers, truth values or mappings; all others are texts, whatever they look like. */
const STRUCTURED = new Set(['max_tokens', 'max_tool_calls', 'max_cost', 'asked_user', 'json_schema', 'file_equals']);

/** `must_contain=Hello` as a check. @throws KarpathyError `bad_usage` */
export function checkFromFlag(written: string): Record<string, unknown> {
  const at = written.indexOf('=');
  if (at <= 0) {
    throw new KarpathyError('bad_usage', 'A check is written as KIND=VALUE.', {
      problems: [{ path: '--check', value: written, message: 'needs the form must_contain=Hello' }],
    });
  }
  const kind = written.slice(0, at);
  const value = written.slice(at + 1);
  return { [kind]: STRUCTURED.has(kind) ? structured(written, value) : value };
}

/** @throws KarpathyError `bad_usage` */
function structured(written: string, value: string): unknown {
  try {
    return parse(value, { logLevel: 'error' }) as unknown;
  } catch (error) {
    const [message = ''] = error instanceof Error ? error.message.split('\n', 1) : [];
    throw new KarpathyError('bad_usage', 'A check is written as KIND=VALUE, and this value is broken YAML.', {
      problems: [{ path: '--check', value: written.slice(0, 80), message: message.replace(/:$/, '') }],
      hint: "Put it in quotes, for example --check 'json_schema={type: object}', or use --from FILE.",
    });
  }
}

export const scenarioAddCommand = command({
  path: 'scenario add',
  group: 'Set up',
  summary: 'add one task with the checks its answer must pass',
  usage: '<name> --input TEXT --check KIND=VALUE [...]  |  --from FILE',
  details: 'docs/scenarios.md lists the kinds of checks. A YAML file can say more: several turns, files, tool results.',
  arguments: [{ name: '[name]', summary: 'letters, digits, dots, dashes, underscores' }],
  options: [
    { flags: '--input <text>', summary: 'what the user says' },
    { flags: '--check <kind=value...>', summary: 'what must hold of the answer; may be given several times' },
    { flags: '--split <split>', summary: 'train (the proposer may see it) or holdout (it decides)' },
    { flags: '--group <name>', summary: 'scenarios that share a source share a group' },
    { flags: '--from <file>', summary: 'one scenario as YAML; - reads standard input' },
  ],
  examples: [
    "scenario add refund --input 'I want my money back' --check must_contain='order number'",
    "scenario add quiet --split holdout --input 'Say OK' --check max_tokens=20 --check must_contain=OK",
    'scenario add --from refund.yaml',
  ],
  input: z
    .object({
      name: z.string().optional(),
      input: z.string().optional(),
      check: z.array(z.string()).optional(),
      split: z.string().optional(),
      group: z.string().optional(),
      from: z.string().optional(),
    })
    .refine((given) => (given.from !== undefined) !== (given.name !== undefined), {
      error: 'needs either NAME with --input and --check, or --from FILE',
    }),
  async run(session, { name, input, check, split, group, from }) {
    const written =
      from === undefined
        ? {
            name,
            ...(split === undefined ? {} : { split }),
            ...(group === undefined ? {} : { group }),
            ...(input === undefined ? {} : { input }),
            checks: (check ?? []).map(checkFromFlag),
          }
        : parseScenarioYaml(await readInput(session.io, from), from);
    const { entry } = parseEntry(written, '');
    const confirmedTools = entry === null ? {} : await confirmTools(session, [entry]);
    return writeAnswer(addScenario(session.ctx, written, { confirmedTools }));
  },
});
