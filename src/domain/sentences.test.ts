import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeSentences, splitSentences } from './sentences.js';

const texts = (text: string) => splitSentences(text).map((s) => s.text);

describe('splitSentences', () => {
  it('numbers the sentences of a paragraph from 1 with offsets into the text', () => {
    expect(splitSentences('Be kind. Ask first!')).toEqual([
      { number: 1, text: 'Be kind.', start: 0, end: 8 },
      { number: 2, text: 'Ask first!', start: 9, end: 19 },
    ]);
  });

  it('reads a sentence that is wrapped over lines as one', () => {
    expect(texts('Be kind to\npeople. Ask\n  first.')).toEqual(['Be kind to people.', 'Ask first.']);
  });

  it('takes headings of both styles and list items as sentences of their own', () => {
    expect(texts('# Who. Why ##\nTitle\n=====\n- One\n- Two. Three\n  goes on\n  1. nested\n2) last')).toEqual([
      'Who. Why',
      'Title',
      'One',
      'Two.',
      'Three goes on',
      'nested',
      'last',
    ]);
  });

  it('reads a block quote without its markers', () => {
    expect(texts('> Be kind to\n> people. Ask.')).toEqual(['Be kind to people.', 'Ask.']);
  });

  it.each([
    ['front matter', '---\nname: x. y\n---\n'],
    ['a code fence', '```sh\nrm. -x. Now\n```\n'],
    ['a fence of tildes inside a list', '- ~~~\n  a. B.\n  ~~~\n\n'],
    ['a table', '| a. b | c |\n|---|---|\n| D. | E. |\n\n'],
    ['an HTML comment over lines', '<!-- one.\nTwo. -->\n'],
    ['a rule', '***\n'],
    ['indented code', '\n    a. B.\n\n'],
    ['a link definition', '[x]: https://example.org/a.b\n'],
  ])('finds no sentence in %s', (_, markup) => {
    expect(texts(`${markup}Be kind.`)).toEqual(['Be kind.']);
  });

  it.each([
    'Use lists, e.g. for Dr. Smith and the U.S. Army.',
    'See `foo. Bar` and https://a.b/c.d?x=1. too',
    'Version 1.2.3 costs 3.50 a month.',
    'Write "etc." and so on.',
    'Quote Donald E. Knuth often.',
  ])('does not split inside: %s', (sentence) => {
    expect(texts(sentence)).toEqual([sentence]);
  });

  it('keeps closing marks with their sentence', () => {
    expect(texts('**Be brief.** "Ask?" Then (maybe.) go. Done 🎉! Next.')).toEqual([
      '**Be brief.**',
      '"Ask?"',
      'Then (maybe.) go.',
      'Done 🎉!',
      'Next.',
    ]);
  });

  it('splits text without spaces between sentences', () => {
    expect(texts('短い文です。次の文です！終わり。')).toEqual(['短い文です。', '次の文です！', '終わり。']);
  });

  it('reads the same with any line ending and with a byte order mark', () => {
    const text = '# A\n\nBe kind to\npeople. Ask.\n\n- one\n- two\n';
    expect(texts(text.replaceAll('\n', '\r\n'))).toEqual(texts(text));
    expect(texts(text.replaceAll('\n', '\r'))).toEqual(texts(text));
    expect(splitSentences(`\ufeff${text}`)).toEqual(splitSentences(text));
  });

  it('gives ordered, non-empty spans inside the text for any input', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('\n', '\r\n', '- ', '> ', '# ', '```', '---', '|', '. ', '<!--', '。'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const text = pieces.join('').replace(/^\ufeff+/, '');
        let last = 0;
        for (const sentence of placeSentences(text)) {
          expect(sentence.start).toBeGreaterThanOrEqual(last);
          expect(sentence.end).toBeGreaterThan(sentence.start);
          expect(sentence.text.trim()).not.toBe('');
          expect(sentence.start).toBeGreaterThanOrEqual(sentence.block.outerStart);
          expect(sentence.end).toBeLessThanOrEqual(sentence.block.outerEnd);
          last = sentence.end;
        }
        expect(last).toBeLessThanOrEqual(text.length);
      }),
      { numRuns: 500 },
    );
  });
});
