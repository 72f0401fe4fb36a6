import { homedir } from 'node:os';
import { join } from 'node:path';
import { isMap, LineCounter, parseDocument, type Document } from 'yaml';
import {
  CONFIG_PATH,
  parseConfigSection,
  resolveConfig,
  type ConfigLayer,
  type ConfigWithSources,
  type WrittenConfig,
} from '../config.js';
import { KarpathyError, type Problem } from '../errors.js';
import { homeOfProfile, pathsUnder, type Paths } from './paths.js';
import { readTextFile } from './textFile.js';
import { lineFinder } from './yamlPlaces.js';

/** The section's place as keys: `plugins`, `karpathy_self_improve`. */
const SECTION = CONFIG_PATH.split('.');

/** One mistake makes the parser stumble again and again after it. */
export const MOST_SYNTAX_ERRORS = 5;

export function configFileOf(home: string): string {
  return join(home, 'config.yaml');
}

/** A config.yaml as text and as data. `data` is what the host sees: YAML 1.1, the last of two equal keys wins. */
export interface HostConfigFile {
  readonly path: string;
  readonly exists: boolean;
  readonly data: Readonly<Record<string, unknown>>;
  /** 1-based line of a path like `plugins.enabled`, or of the nearest thing around it. */
  lineOf(path: string): number | null;
}

/**
 * Reads a home's config.yaml; an absent file is an empty one.
 * @throws KarpathyError `bad_config` for broken YAML, with the line; `io` when it can't be read
 */
export function readHostConfig(home: string): HostConfigFile {
  const path = configFileOf(home);
  const text = readText(path);
  if (text === null) return { path, exists: false, data: {}, lineOf: () => null };
  const lines = new LineCounter();
  // The host reads this file with a YAML 1.1 parser.
  const document = parseDocument(text, { lineCounter: lines, version: '1.1', uniqueKeys: true, prettyErrors: false });
  const broken = document.errors
    .filter((e) => e.code !== 'DUPLICATE_KEY' || isInside(document, e.pos[0]))
    .map((e) => ({ path: `${path}:${lines.linePos(e.pos[0]).line}`, message: firstLine(e.message) }));
  if (broken.length > 0) throw notYaml(path, broken.slice(0, MOST_SYNTAX_ERRORS));
  return { path, exists: true, data: asMapping(document, path), lineOf: lineFinder(document, lines) };
}

/** Null when there is no such file. @throws KarpathyError `io`, `bad_config` */
function readText(path: string): string | null {
  const file = readTextFile(path);
  if (file.kind === 'absent') return null;
  if (file.kind === 'text') return file.text;
  const hint = 'Hermes itself cannot read it as it stands either: put a text file in its place.';
  throw new KarpathyError(file.kind === 'no text' ? 'bad_config' : 'io', `${path} ${file.problem}.`, { hint });
}

function asMapping(document: Document, path: string): Record<string, unknown> {
  let data: unknown;
  try {
    data = document.toJS();
  } catch (error) {
    throw notYaml(path, [{ path, message: error instanceof Error ? firstLine(error.message) : String(error) }]);
  }
  if (data === null || data === undefined) return {};
  if (typeof data === 'object' && !Array.isArray(data)) return data as Record<string, unknown>;
  throw notYaml(path, [{ path: `${path}:1`, message: 'must be a mapping of keys to values' }]);
}

function notYaml(path: string, problems: readonly Problem[]): KarpathyError {
  return new KarpathyError('bad_config', `${path} is not valid YAML.`, {
    problems,
    hint: 'Correct the line; Hermes itself cannot read the file as it stands either.',
  });
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? message;
}

/** Two equal keys elsewhere in the file are the host's business; in our section one of them would be lost silently. */
function isInside(document: Document, offset: number): boolean {
  const node: unknown = document.getIn(SECTION, true);
  if (!isMap(node) || !node.range) return false;
  return offset >= node.range[0] && offset <= node.range[2];
}

function sectionOf(file: HostConfigFile): unknown {
  const plugins = file.data[SECTION[0] ?? ''];
  if (typeof plugins !== 'object' || plugins === null || Array.isArray(plugins)) return undefined;
  return (plugins as Record<string, unknown>)[SECTION[1] ?? ''];
}

/** Our section of the root home's config.yaml, checked. */
export interface RootConfig {
  readonly path: string;
  readonly written: WrittenConfig;
}

/**
 * Reads our section from the root home's config.yaml.
 * @throws KarpathyError `bad_config` with every problem: path, line, value, allowed form
 */
export function readRootConfig(root: string): RootConfig {
  const file = readHostConfig(root);
  const { plugins } = file.data;
  if (plugins !== undefined && plugins !== null && (typeof plugins !== 'object' || Array.isArray(plugins))) {
    throw new KarpathyError('bad_config', `The section plugins of ${file.path} is not valid.`, {
      problems: [{ path: 'plugins', message: 'must be a mapping of keys to values' }],
    });
  }
  const section = sectionOf(file);
  if (section !== undefined && section !== null && (typeof section !== 'object' || Array.isArray(section))) {
    throw new KarpathyError('bad_config', `The section ${CONFIG_PATH} of ${file.path} is not valid.`, {
      problems: [{ path: CONFIG_PATH, message: 'must be a mapping of keys to values' }],
    });
  }
  try {
    return { path: file.path, written: parseConfigSection(section, file.path) };
  } catch (error) {
    throw error instanceof KarpathyError ? withLines(error, file) : error;
  }
}

function withLines(error: KarpathyError, file: HostConfigFile): KarpathyError {
  const problems = error.problems.map((problem) => {
    const line = file.lineOf(problem.path);
    return line === null ? problem : { ...problem, message: `${problem.message} (line ${line})` };
  });
  return new KarpathyError(error.code, error.message, {
    problems,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** The section belongs into the root's file only: one DB serves all profiles. @throws KarpathyError `bad_config` */
export function refuseSectionInProfile(root: string, profileName: string): void {
  const home = homeOfProfile(root, profileName);
  if (profileName === 'default') return;
  const file = readHostConfig(home);
  if (sectionOf(file) === undefined) return;
  const line = file.lineOf(CONFIG_PATH);
  throw new KarpathyError('bad_config', `${file.path} has a section ${CONFIG_PATH}, which is not read there.`, {
    problems: [
      {
        path: CONFIG_PATH,
        message: `stands in a named profile's config.yaml${line === null ? '' : ` (line ${line})`}`,
      },
    ],
    hint: `Move it to ${configFileOf(root)}: there, ${CONFIG_PATH}.profiles.${profileName} holds what is meant for this profile only.`,
  });
}

/** Where the controller DB lies: KARPATHY_DB_PATH, then `db_path` (relative to the root), then the default. */
export function pathsFor(root: string, env: Readonly<NodeJS.ProcessEnv>): Paths {
  return pathsUnder(root, { dbPath: expandHome(env.KARPATHY_DB_PATH?.trim() || readRootConfig(root).written.db_path) });
}

function expandHome(path: string | undefined): string | null {
  if (path === undefined) return null;
  return path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path;
}

/**
 * The configuration of one profile. Weakest first: the defaults, `learned` (what `init` stored), the root's
 * config.yaml, its `profiles.<name>`, the environment (KARPATHY_DB_PATH, KARPATHY_NODE).
 * @throws KarpathyError `bad_config`
 */
export function loadConfig(
  paths: Pick<Paths, 'root'>,
  profileName: string,
  env: Readonly<NodeJS.ProcessEnv>,
  learned?: ConfigLayer,
): ConfigWithSources {
  const { path, written } = readRootConfig(paths.root);
  refuseSectionInProfile(paths.root, profileName);
  const own = written.profiles?.[profileName];
  return resolveConfig([
    ...(learned === undefined ? [] : [learned]),
    { source: path, values: written },
    ...(own === undefined ? [] : [{ source: `${path} (profiles.${profileName})`, values: own }]),
    { source: 'KARPATHY_DB_PATH', values: fromEnv('db_path', env.KARPATHY_DB_PATH) },
    { source: 'KARPATHY_NODE', values: fromEnv('node', env.KARPATHY_NODE) },
  ]);
}

function fromEnv(key: string, value: string | undefined): Record<string, string> {
  const trimmed = value?.trim();
  return trimmed ? { [key]: trimmed } : {};
}

/** The names under `profiles` of our section. @throws KarpathyError `bad_config` */
export function listProfileSections(root: string): string[] {
  return Object.keys(readRootConfig(root).written.profiles ?? {});
}
