import { expect, test } from 'vitest';
import { splitWords } from './words.js';

test.each([
  ['status', ['status']],
  ['  show   7 ', ['show', '7']],
  [`reject 7 --reason 'too stiff for us'`, ['reject', '7', '--reason', 'too stiff for us']],
  ['reject 7 —reason “too stiff”', ['reject', '7', '--reason', 'too stiff']],
  [`reject 7 it's rude`, ['reject', '7', "it's", 'rude']],
  [`finish 7 --keep ''`, ['finish', '7', '--keep', '']],
  [`reject 7 "open`, ['reject', '7', 'open']],
  ['', []],
])('%j is read as %j', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});
