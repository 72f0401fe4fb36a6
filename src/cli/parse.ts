import { Command, CommanderError } from 'commander';
import { KarpathyError } from '../errors.js';
import type { CommandSpec } from './command.js';
import type { CliIo } from './io.js';

/** What the command line asks for. */
export type Call =
  | { readonly kind: 'print'; readonly text: string; readonly what: 'help' | 'version' }
  | {
      readonly kind: 'run';
      readonly spec: CommandSpec;
      /** Arguments and options by name, not yet checked by the command's schema. */
      readonly raw: Readonly<Record<string, unknown>>;
      readonly profile: string | undefined;
    };

/** Read before the command line is parsed, since they say how a parse error is shown. */
export interface Globals {
  readonly json: boolean;
  readonly color: boolean;
}

export function readGlobals(argv: readonly string[]): Globals {
  const end = argv.indexOf('--');
  const before = end === -1 ? argv : argv.slice(0, end);
  return { json: before.includes('--json'), color: !before.includes('--no-color') };
}

const HANDLED_BY_THE_HOST = `
Before anything else, done by Hermes itself:
  hermes karpathy setup                    build what the plugin runs on; shows progress and size
  hermes karpathy install --profile NAME   link the plugin into another profile, or --all`;

const INTRODUCTION = `Improves a Hermes profile's instruction file one proven sentence at a time.

A change is proposed, tested in the real Hermes, approved by you, applied, watched, and kept or put back byte by byte.`;

/** `argv` without the program's name. @throws KarpathyError `bad_usage`, with the nearest command as its hint */
export function parseArgv(argv: readonly string[], options: { specs: readonly CommandSpec[]; io: CliIo }): Call {
  refuseHostCommands(argv);
  const written: string[] = [];
  let call: Call | null = null;
  const program = buildProgram(options.specs, {
    io: options.io,
    write: (text) => written.push(text),
    chosen: (chosen) => (call = chosen),
  });
  try {
    program.parse(argv.length === 0 ? ['--help'] : shieldText(argv), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.version') return { kind: 'print', text: written.join(''), what: 'version' };
    if (error.exitCode === 0) return { kind: 'print', text: written.join(''), what: 'help' };
    throw usageError(error, written, options.io.helpName);
  }
  if (call === null) return { kind: 'print', text: program.helpInformation(), what: 'help' };
  return call;
}

/** `setup` and `install` build and link what this program is part of; the Python side does that before Node runs. */
function refuseHostCommands(argv: readonly string[]): void {
  const [first] = argv.filter((word) => !word.startsWith('-'));
  if (first !== 'setup' && first !== 'install') return;
  throw new KarpathyError('bad_usage', `\`${first}\` is done by Hermes, not by this program.`, {
    hint: `Run \`hermes karpathy ${first}\`; in a checkout, \`npm ci\` builds everything in place.`,
  });
}

/** A sentence may begin with a dash, as a list item does; commander would take it for an option. */
function shieldText(argv: readonly string[]): string[] {
  return argv.flatMap((word, index) => {
    const follows = /^--(rewrite|insert-after)(=|$)/u.test(
      (argv[index - 1]?.includes('=') ? argv[index - 1] : argv[index - 2]) ?? '',
    );
    return follows && /^-.*\s/su.test(word) ? [`--text=${word}`] : [word];
  });
}

function usageError(error: CommanderError, written: readonly string[], name: string): KarpathyError {
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const suggestion = rest.join(' ').replaceAll(/[()]/g, '').trim();
  // `scenario` alone makes commander print the group's help as an error.
  const message =
    error.code === 'commander.help'
      ? 'A command is missing.'
      : `${first.charAt(0).toUpperCase()}${first.slice(1).replace(/\.$/, '')}.`;
  const commands = [...written.join('').matchAll(/^ {2}([a-z]+)/gmu)].map((match) => match[1]);
  const hint =
    suggestion !== ''
      ? suggestion
      : error.code === 'commander.help' && commands.length > 0
        ? `One of: ${commands.join(', ')}.`
        : `\`${name} --help\` lists the commands, \`${name} COMMAND --help\` shows one with examples.`;
  return new KarpathyError('bad_usage', message, { hint });
}

interface Building {
  readonly io: CliIo;
  readonly write: (text: string) => void;
  readonly chosen: (call: Call) => void;
}

function buildProgram(specs: readonly CommandSpec[], building: Building): Command {
  const { io, write } = building;
  const program = new Command(io.helpName);
  program
    .description(INTRODUCTION)
    .option('--json', 'one JSON document on stdout; an error is one JSON document on stderr')
    .option('--profile <name>', 'the profile to work on')
    .option('--no-color', 'no colour, whatever the terminal can do')
    .version(io.version, '--version', 'print the version')
    .helpOption('--help', 'show help, here or after any command')
    .helpCommand(false)
    .addHelpText('after', `${HANDLED_BY_THE_HOST}\n\n${exitCodes}`);
  configure(program, io, write);
  for (const spec of specs) addCommand(program, spec, building);
  return program;
}

const exitCodes = 'Exit codes: 0 done, 1 failed, 2 bad input, 3 refused by a rule, 130 interrupted.';

function configure(made: Command, io: CliIo, write: (text: string) => void): void {
  made.exitOverride().configureOutput({
    writeOut: write,
    writeErr: write,
    outputError: () => undefined,
    getOutHelpWidth: () => io.stdout.columns ?? 80,
    getErrHelpWidth: () => io.stderr.columns ?? 80,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
}

function parentFor(program: Command, spec: CommandSpec, building: Building): Command {
  const [group] = spec.path.split(' ');
  if (group === spec.path || group === undefined) return program;
  const existing = program.commands.find((made) => made.name() === group);
  if (existing !== undefined) return existing;
  const made = program
    .command(group)
    .description(GROUPS[group] ?? '')
    .helpOption('--help', 'show help')
    .helpCommand(false);
  made.helpGroup(`${spec.group}:`);
  configure(made, building.io, building.write);
  return made;
}

const GROUPS: Readonly<Record<string, string>> = {
  scenario: 'the tasks a change is tested on',
  'error-budget': 'the chance of a false keep: what is left, and a new one',
  jobs: 'long work: what is queued, running, finished',
};

function addCommand(program: Command, spec: CommandSpec, building: Building): void {
  const name = spec.path.split(' ').at(-1) ?? spec.path;
  const parent = parentFor(program, spec, building);
  const made = parent
    .command(name, { isDefault: spec.isDefault === true })
    .summary(spec.summary)
    .helpOption('--help', 'show this help')
    .helpGroup(`${spec.group}:`);
  made.description(
    spec.details === undefined ? capitalised(spec.summary) : `${capitalised(spec.summary)}\n\n${spec.details}`,
  );
  if (spec.usage !== undefined) made.usage(spec.usage);
  for (const argument of spec.arguments ?? []) made.argument(argument.name, argument.summary);
  for (const option of spec.options ?? []) made.option(option.flags, option.summary);
  const { helpName } = building.io;
  made.addHelpText('after', `\nExamples:\n${spec.examples.map((example) => `  ${helpName} ${example}`).join('\n')}`);
  configure(made, building.io, building.write);
  made.action(() => {
    const raw: Record<string, unknown> = { ...made.opts<Record<string, unknown>>() };
    for (const [index, argument] of (spec.arguments ?? []).entries()) {
      const value = made.args[index];
      if (value !== undefined) raw[argumentKey(argument.name)] = value;
    }
    building.chosen({ kind: 'run', spec, raw, profile: program.opts<{ profile?: string }>().profile });
  });
}

/** `<id>` is `id` in what the command's schema reads. */
export function argumentKey(name: string): string {
  return name.replaceAll(/[<>[\].]/g, '');
}

function capitalised(sentence: string): string {
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}
