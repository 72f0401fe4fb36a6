import pico from 'picocolors';
import { describe, expect, test } from 'vitest';
import { configText } from './config.js';
import { wordsText } from './diff.js';
import { findingsText } from './doctor.js';
import { makeLook, visible, wrap } from './look.js';
import { asTyped } from './next.js';
import { table } from './table.js';

const look = makeLook({ width: 60, color: false, form: 'terminal', command: 'hermes karpathy' });
const { red } = pico.createColors(true);
const widest = (text: string): number =>
  Math.max(
    ...visible(text)
      .split('\n')
      .map((line) => line.length),
  );

describe('lines', () => {
  test('wrap by what is seen, not by their colour codes', () => {
    const coloured = wrap(`${red('aaaa')} bbbb ${red('cccc')} dddd`, { width: 20 });
    expect(visible(coloured)).toBe('aaaa bbbb cccc dddd');
  });

  test('never end inside a command', () => {
    expect(wrap('aaaa bbbb cccc `hermes karpathy show 7`.', { width: 24 })).toBe(
      'aaaa bbbb cccc\n`hermes karpathy show 7`.',
    );
  });

  test('of a changed sentence end between words, in colour too', () => {
    const parts = [
      { kind: 'same', text: 'Ask before you ' },
      { kind: 'removed', text: 'delete anything in the shared folders of the team ' },
      { kind: 'added', text: 'move or rename anything in the shared folders.' },
    ] as const;
    const colours = makeLook({ width: 60, color: true, form: 'terminal', command: 'hermes karpathy' });
    for (const one of [look, colours]) {
      const text = wordsText(one, parts);
      expect(widest(text)).toBeLessThanOrEqual(60);
      expect(visible(text).replaceAll('\n', ' ')).toContain('shared folders of the team');
    }
  });

  test('of a finding fit, its area included', () => {
    const message = 'The agent answers, and what it answers is long enough to need a second line.';
    const text = findingsText(look, [{ level: 'warn', area: 'models', message, fix: message }]);
    expect(widest(text)).toBeLessThanOrEqual(60);
    expect(text).toMatch(/^! models The agent answers/);
  });

  test('of a chat are left to whoever lays the chat out', () => {
    const chat = makeLook({ color: false, form: 'plain', command: '/karpathy' });
    expect(wrap('word '.repeat(100).trim(), { width: chat.width })).not.toContain('\n');
  });
});

test('hints name commands as they are typed here, but for those that only Hermes has', () => {
  expect(asTyped('Run `hermes karpathy status`.', 'karpathy')).toBe('Run `karpathy status`.');
  expect(asTyped('Run `hermes karpathy setup`.', 'karpathy')).toBe('Run `hermes karpathy setup`.');
});

test('a table never cuts a word off, however narrow the terminal', () => {
  const long = 'x'.repeat(90);
  expect(table(look, ['setting', 'value'], [['models.proposer', long]])).toContain(long);
});

test('the configuration names the file once, and models as init takes them', () => {
  const text = configText(
    makeLook({ width: 100, color: false, form: 'terminal', command: 'hermes karpathy' }),
    [
      {
        path: 'models.proposer',
        value: { base_url: 'http://h/v1', model: 'm', api_key_env: 'K' },
        source: '/r/config.yaml',
      },
      { path: 'models.judge', value: { host: true, model: 'j' }, source: 'init' },
      { path: 'gate.alpha', value: 0.05, source: 'default' },
      { path: 'slash.allow_changes_from', value: [], source: 'default' },
    ],
    '/r/config.yaml',
  );
  expect(text).toMatch(/models\.proposer +config\.yaml +http:\/\/h\/v1#m \(key in K\)/);
  expect(text).toMatch(/models\.judge +init +host#j/);
  expect(text).toMatch(/gate\.alpha +default +0\.05/);
  expect(text).toMatch(/allow_changes_from +default +\[\]/);
  expect(text.split('/r/config.yaml')).toHaveLength(2);
});

test('a long table keeps its columns in line, whatever part of it is the widest', () => {
  const rows = Array.from({ length: 450 }, (_, n) => [n === 449 ? 'a wide one' : String(n), `row ${n}`]);
  const lines = table(look, ['id', 'what'], rows).split('\n');
  expect(lines).toHaveLength(451);
  expect(lines[0]).toMatch(/^id +what$/);
  expect(new Set(lines.slice(1).map((line) => line.indexOf('row')))).toEqual(new Set(['a wide one'.length + 2]));
});
