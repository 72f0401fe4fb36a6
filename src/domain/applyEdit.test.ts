import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKarpathyError } from '../errors.js';
import { applyEdit } from './applyEdit.js';
import type { StructuredEdit } from './edit.js';
import { editFromCandidate, matchCandidate } from './editFromCandidate.js';
import { editKey } from './editMetadata.js';
import { splitSentences } from './sentences.js';

const edit = (operation: StructuredEdit['operation'], sentence: number, text = ''): StructuredEdit => ({
  operation,
  sentence,
  text,
  rationale: '',
});
const texts = (text: string) => splitSentences(text).map((s) => s.text);
const apply = (base: string, e: StructuredEdit) => applyEdit(base, e).candidate;

function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isKarpathyError(error) && error.code === 'bad_edit') return error.message;
    throw error;
  }
  throw new Error('was not refused');
}

const BASE = '# Who\n\nYou help. Be brief.\n\n- Ask first\n- Say why\n';

describe('applyEdit', () => {
  it.each([
    [
      'rewrites a sentence in place',
      edit('rewrite', 2, 'You help people.'),
      BASE.replace('You help.', 'You help people.'),
    ],
    ['rewrites a heading without its marker', edit('rewrite', 1, 'Name'), BASE.replace('# Who', '# Name')],
    ['accepts the marker a heading already has', edit('rewrite', 1, '# Name'), BASE.replace('# Who', '# Name')],
    ['inserts into a paragraph', edit('insert', 2, 'Be kind.'), BASE.replace('help. Be', 'help. Be kind. Be')],
    [
      'inserts a list item after a list item',
      edit('insert', 4, 'Be kind'),
      BASE.replace('first\n', 'first\n- Be kind\n'),
    ],
    [
      'inserts a paragraph after a heading',
      edit('insert', 1, 'Be kind.'),
      BASE.replace('# Who\n', '# Who\n\nBe kind.\n'),
    ],
    ['inserts at the top', edit('insert', 0, 'Be kind.'), `Be kind.\n\n${BASE}`],
    [
      'inserts a list item after a paragraph when asked for one',
      edit('insert', 3, '- Be kind'),
      BASE.replace('brief.\n', 'brief.\n\n- Be kind\n'),
    ],
    ['deletes a sentence of a paragraph', edit('delete', 3), BASE.replace(' Be brief.', '')],
    ['deletes a list item with its line', edit('delete', 4), BASE.replace('- Ask first\n', '')],
  ])('%s', (_, structured, expected) => {
    expect(apply(BASE, structured)).toBe(expected);
  });

  it('keeps front matter above what is inserted at the top', () => {
    expect(apply('---\na: b\n---\n\nBe brief.\n', edit('insert', 0, 'Be kind.'))).toBe(
      '---\na: b\n---\n\nBe kind.\n\nBe brief.\n',
    );
  });

  it('gives an inserted list item the next number, and a place among the children', () => {
    expect(apply('1. a\n2. b\n', edit('insert', 2, 'c'))).toBe('1. a\n2. b\n3. c\n');
    expect(apply('- a\n  - b\n', edit('insert', 1, 'c'))).toBe('- a\n  - c\n  - b\n');
  });

  it('keeps CRLF, the byte order mark and a missing newline at the end', () => {
    const base = '\ufeffA one.\r\n\r\n- b\r\n- c';
    expect(apply(base, edit('insert', 3, 'd'))).toBe('\ufeffA one.\r\n\r\n- b\r\n- c\r\n- d');
    expect(apply(base, edit('delete', 3))).toBe('\ufeffA one.\r\n\r\n- b');
    expect(apply(base, edit('rewrite', 1, 'A\ntwo.'))).toBe('\ufeffA\r\ntwo.\r\n\r\n- b\r\n- c');
  });

  it('joins sentences without a space where the script has none', () => {
    expect(apply('短い文です。終わり。', edit('insert', 1, '次です。'))).toBe('短い文です。次です。終わり。');
  });

  it('computes the metadata', () => {
    const { metadata } = applyEdit(BASE, edit('rewrite', 2, 'You help people.'));
    expect(metadata).toMatchObject({
      changedHunks: 1,
      addedLines: 1,
      removedLines: 1,
      sentenceDeltaCount: 0,
      targetSpan: { start: 7, end: 16 },
      sentenceBefore: 'You help.',
      sentenceAfter: 'You help people.',
    });
    expect(metadata.diff).toContain('--- a/SOUL.md');
    expect(metadata.diff).toContain('-You help. Be brief.\n+You help people. Be brief.\n');
  });

  it.each([
    ['an unknown sentence', edit('rewrite', 9, 'X.'), /no sentence 9.*1 to 5/],
    ['sentence 0 for a rewrite', edit('rewrite', 0, 'X.'), /1 to 5/],
    ['a place beyond the end', edit('insert', 6, 'X.'), /0 to 5/],
    ['a rewrite that reads the same', edit('rewrite', 2, ' You  help. '), /changes nothing/],
    ['two sentences', edit('insert', 2, 'Be kind. Be fair.'), /2 sentences.*"Be kind\.", "Be fair\."/],
    ['two list items', edit('insert', 4, '- one\n- two'), /2 sentences/],
    ['no sentence', edit('rewrite', 2, '   '), /no sentence/],
    ['code', edit('insert', 2, '```\nx\n```'), /no sentence/],
    ['a text that runs into the next sentence', edit('rewrite', 2, 'you help'), /more than one sentence/],
    ['a change of the kind of block', edit('rewrite', 2, '# Help'), /part of a paragraph.*heading/],
    ['control characters', edit('rewrite', 2, 'You\u0000help.'), /control characters/],
    ['a broken character', edit('rewrite', 2, 'You \ud800 help.'), /broken Unicode/],
  ])('refuses %s', (_, structured, message) => {
    expect(refusal(() => apply(BASE, structured))).toMatch(message);
  });

  it('refuses to delete the only sentence', () => {
    expect(refusal(() => apply('Be brief.\n', edit('delete', 1)))).toMatch(/only sentence/);
  });
});

describe('editFromCandidate', () => {
  it('names how many sentences differ', () => {
    const two = BASE.replace('You help.', 'You do.').replace('Say why', 'Say so');
    expect(refusal(() => editFromCandidate(BASE, two))).toMatch(/differs in 2 sentences/);
  });

  it('refuses a file that is the same, or the same but for white space', () => {
    expect(refusal(() => editFromCandidate(BASE, BASE))).toMatch(/changes nothing/);
    expect(refusal(() => editFromCandidate(BASE, BASE.replace('\n\n', '\n\n\n')))).toMatch(/changes nothing/);
  });

  it('tells a deleted sentence from an equal one next to it', () => {
    expect(editFromCandidate('> Same.\n\n- Same.\n', '- Same.\n')).toMatchObject({ operation: 'delete', sentence: 1 });
  });

  it('refuses a change of code beside the sentence', () => {
    const base = 'One.\n\n```\ncode\n```\n\nTwo.\n';
    expect(refusal(() => editFromCandidate(base, base.replace('One', 'Three').replace('code', 'other')))).toMatch(
      /no sentence/,
    );
  });

  it("keeps the person's own layout of a new sentence", () => {
    const candidate = BASE.replace('brief.\n', 'brief.\n\nBe kind.\n');
    const { edit: found, applied } = matchCandidate(BASE, candidate);
    expect(found).toMatchObject({ operation: 'insert', sentence: 3, text: 'Be kind.' });
    expect(applied.candidate).toBe(candidate);
  });

  it('does not take over what an editor did to line endings and the end of the file', () => {
    const base = '\ufeffOne.\r\n\r\nTwo.';
    const { applied } = matchCandidate(base, 'One.\n\nThree.\n');
    expect(applied.candidate).toBe('\ufeffOne.\r\n\r\nThree.');
  });
});

describe('editKey', () => {
  it('is the same for variants of white space, punctuation and markup', () => {
    const key = editKey('rewrite', { before: 'Be brief.', after: 'Be  very “brief”!' });
    expect(editKey('rewrite', { before: 'Be brief', after: '**Be** very brief.' })).toBe(key);
  });

  it('differs by operation, by words and by case', () => {
    const keys = [
      editKey('insert', { before: null, after: 'Be brief.' }),
      editKey('delete', { before: 'Be brief.', after: null }),
      editKey('insert', { before: null, after: 'be brief.' }),
      editKey('insert', { before: null, after: 'Be long.' }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});

// Long words, since a short one before a full stop may be an abbreviation.
const word = fc.stringMatching(/^[a-z]{7,9}$/);
const sentence = fc
  .tuple(fc.array(word, { minLength: 1, maxLength: 5 }), fc.constantFrom('.', '!', '?'))
  .map(([words, end]) => `${words.join(' ').replace(/^./, (c) => c.toUpperCase())}${end}`);
const block = fc.oneof(
  fc.array(sentence, { minLength: 1, maxLength: 4 }).map((s) => s.join(' ')),
  fc.array(sentence, { minLength: 1, maxLength: 4 }).map((s) => s.join('\n')),
  fc.array(sentence, { minLength: 1, maxLength: 4 }).map((s) => s.map((x) => `- ${x}`).join('\n')),
  fc.array(sentence, { minLength: 2, maxLength: 3 }).map((s) => s.map((x, i) => `${'  '.repeat(i)}* ${x}`).join('\n')),
  fc.array(sentence, { minLength: 1, maxLength: 3 }).map((s) => s.map((x) => `> ${x}`).join('\n')),
  sentence.map((s) => `## ${s}`),
  fc.constantFrom('```\ncode. More.\n```', '| a | b |\n|---|---|\n| C. | D. |', '<!-- note. -->', '***'),
);
const document = fc
  .tuple(
    fc.array(block, { minLength: 1, maxLength: 6 }),
    fc.constantFrom('\n', '\r\n'),
    fc.constantFrom('', '\n', '\n\n'),
    fc.constantFrom('', '\ufeff'),
    fc.constantFrom('', '---\nx: 1\n---\n'),
  )
  .map(([blocks, eol, tail, bom, front]) => bom + `${front}${blocks.join('\n\n')}${tail}`.replaceAll('\n', eol));
const operation = fc.constantFrom('rewrite', 'insert', 'delete');

function common(a: string, b: string): { prefix: number; suffix: number } {
  const shorter = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < shorter && a[prefix] === b[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < shorter - prefix && a.at(-1 - suffix) === b.at(-1 - suffix)) suffix += 1;
  return { prefix, suffix };
}

describe('any edit of any document', () => {
  const cases = fc.record({ base: document, operation, pick: fc.nat(), text: sentence.map((s) => `Zq ${s}`) });

  function build(c: { base: string; operation: StructuredEdit['operation']; pick: number; text: string }) {
    const count = texts(c.base).length;
    fc.pre(c.operation === 'insert' || count > 1);
    const number = c.operation === 'insert' ? c.pick % (count + 1) : 1 + (c.pick % count);
    return edit(c.operation, number, c.operation === 'delete' ? '' : c.text);
  }

  it('changes exactly one sentence and nothing else', () => {
    fc.assert(
      fc.property(cases, (c) => {
        const structured = build(c);
        const { candidate, metadata } = applyEdit(c.base, structured);
        const before = texts(c.base);
        const n = structured.sentence;
        const put = structured.operation === 'delete' ? [] : [structured.text];
        const expected =
          structured.operation === 'insert' ? before.toSpliced(n, 0, ...put) : before.toSpliced(n - 1, 1, ...put);
        expect(texts(candidate)).toEqual(expected);

        const { prefix, suffix } = common(c.base, candidate);
        // What stands between the common parts is the sentence, white space and the marker of its block, no more.
        const strip = (s: string) => s.replace(/[\s>*\-#]/g, '');
        const gone = strip(c.base.slice(prefix, c.base.length - suffix));
        const come = strip(candidate.slice(prefix, candidate.length - suffix));
        expect(gone.length).toBeLessThanOrEqual(strip(metadata.sentenceBefore ?? '').length);
        expect(come.length).toBeLessThanOrEqual(strip(structured.text).length);
        expect(candidate.startsWith('\ufeff')).toBe(c.base.startsWith('\ufeff'));
        expect(/\n$/.test(candidate)).toBe(/\n$/.test(c.base));
        if (!c.base.includes('\r')) expect(candidate).not.toContain('\r');
        else expect(candidate.replaceAll('\r\n', '')).not.toContain('\n');
      }),
      { numRuns: 400 },
    );
  });

  it('is found again from the candidate alone', () => {
    fc.assert(
      fc.property(cases, (c) => {
        const structured = build(c);
        const { candidate } = applyEdit(c.base, structured);
        const found = matchCandidate(c.base, candidate);
        expect(found.applied.candidate).toBe(candidate);
        expect(found.edit.operation).toBe(structured.operation);
        expect(texts(applyEdit(c.base, found.edit).candidate)).toEqual(texts(candidate));
      }),
      { numRuns: 400 },
    );
  });

  it('is either refused as a bad edit or changes one sentence, whatever the text', () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 6 }),
      fc.constantFrom('\n', '- ', '> ', '# ', '```', '. ', '<!--', '|'),
    );
    const wild = fc.record({
      base: fc.array(piece, { maxLength: 20 }).map((p) => p.join('').replaceAll('\ufeff', '')),
      operation,
      number: fc.nat({ max: 6 }),
      text: fc.array(piece, { maxLength: 6 }).map((p) => p.join('')),
    });
    fc.assert(
      fc.property(wild, (w) => {
        let candidate: string;
        try {
          candidate = apply(w.base, edit(w.operation, w.number, w.text));
        } catch (error) {
          if (!isKarpathyError(error) || error.code !== 'bad_edit') throw error;
          return;
        }
        const delta = { rewrite: 0, insert: 1, delete: -1 }[w.operation];
        expect(texts(candidate)).toHaveLength(texts(w.base).length + delta);
        expect(candidate).not.toBe(w.base);
      }),
      { numRuns: 1000 },
    );
  });
});
