import { Document, isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { KarpathyError, type Problem } from '../errors.js';
import { MOST_SYNTAX_ERRORS } from '../hermes/configYaml.js';
import { lineFinder } from '../hermes/yamlPlaces.js';
import { parseEntry, writtenEntry, type ScenarioEntry } from './scenarioEntry.js';

/** More could never be evaluated; a file that large is a mistake. */
const MOST_SCENARIOS = 2_000;

/**
 * Reads a scenario file: `scenarios:` with a list, or the list alone.
 * @throws KarpathyError `bad_scenario` with every problem of every scenario: path, value, allowed form, line
 */
export function parseScenarioFile(text: string, source: string): ScenarioEntry[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    throw bad(
      source,
      document.errors.slice(0, MOST_SYNTAX_ERRORS).map((e) => ({
        path: `${source}:${lines.linePos(e.pos[0]).line}`,
        message: e.message.split('\n', 1)[0] ?? e.message,
      })),
    );
  }
  const written = listIn(toData(document, source), source);
  const parsed = written.map((entry, index) => parseEntry(entry, `scenarios[${index}]`));
  const entries = parsed.flatMap((p) => (p.entry === null ? [] : [p.entry]));
  const problems = [...parsed.flatMap((p) => p.problems), ...duplicates(written)];
  if (problems.length === 0) return entries;
  const lineOf = lineFinder(document, lines);
  const isList = isSeq(document.contents);
  throw bad(
    source,
    problems.map((problem) => {
      const line = lineOf(isList ? problem.path.replace(/^scenarios/, '') : problem.path);
      return line === null ? problem : { ...problem, message: `${problem.message} (line ${line})` };
    }),
  );
}

/** One scenario alone, for example from an editor. @throws KarpathyError `bad_scenario` */
export function parseScenarioYaml(text: string, source: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error !== undefined) {
    const path = `${source}:${lines.linePos(error.pos[0]).line}`;
    throw bad(source, [{ path, message: error.message.split('\n', 1)[0] ?? error.message }]);
  }
  return toData(document, source);
}

function toData(document: Document, source: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw bad(source, [{ path: source, message: error instanceof Error ? error.message : String(error) }]);
  }
}

function listIn(data: unknown, source: string): readonly unknown[] {
  const list: unknown =
    typeof data === 'object' && data !== null && 'scenarios' in data && Object.keys(data).length === 1
      ? data.scenarios
      : data;
  if (Array.isArray(list) && list.length > MOST_SCENARIOS) {
    const message = `has ${list.length} scenarios; a file may have at most ${MOST_SCENARIOS}`;
    throw bad(source, [{ path: 'scenarios', message }]);
  }
  if (Array.isArray(list) && list.length > 0) return list;
  throw bad(source, [
    { path: 'scenarios', message: 'must be a list of scenarios: `scenarios:` followed by the list, or the list alone' },
  ]);
}

function duplicates(written: readonly unknown[]): Problem[] {
  const first = new Map<string, number>();
  return written.flatMap((entry, index) => {
    const name = typeof entry === 'object' && entry !== null && 'name' in entry ? entry.name : undefined;
    if (typeof name !== 'string') return [];
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, index);
      return [];
    }
    const message = `is already the name of scenarios[${earlier}]; names must be unique`;
    return [{ path: `scenarios[${index}].name`, value: JSON.stringify(name), message }];
  });
}

function bad(source: string, problems: readonly Problem[]): KarpathyError {
  const count = problems.length === 1 ? 'one problem' : `${problems.length} problems`;
  return new KarpathyError('bad_scenario', `${source} has ${count}; nothing was changed.`, {
    problems,
    hint: 'docs/scenarios.md shows every key and check with an example.',
  });
}

/** The YAML that `parseScenarioFile` reads back to the same scenarios. `note` becomes a comment at the top. */
export function stringifyScenarios(entries: readonly ScenarioEntry[], note: string | null = null): string {
  const document = new Document({ scenarios: entries.map(writtenEntry) }, { aliasDuplicateObjects: false });
  if (note !== null) document.commentBefore = ` ${note}`;
  const list = isMap(document.contents) ? document.contents.get('scenarios') : null;
  if (isSeq(list)) list.items.forEach((item, index) => isMap(item) && (item.spaceBefore = index > 0));
  return document.toString({ lineWidth: 0 });
}

/** One scenario as YAML, for an editor or `show`. */
export function stringifyScenario(entry: ScenarioEntry): string {
  return new Document(writtenEntry(entry), { aliasDuplicateObjects: false }).toString({ lineWidth: 0 });
}
