/**
 * Splits a chat line into words as a shell would, quotes included. Phones write curly quotes and turn two dashes into
 * a long one; both are read as what was meant. An open quote runs to the end.
 */
export function splitWords(line: string): string[] {
  const plain = line.replaceAll(/[“”„]/gu, '"').replaceAll(/(^|\s)[—–](?=\p{L})/gu, '$1--');
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (const character of plain) {
    if (quote !== null) {
      if (character === quote) quote = null;
      else word = (word ?? '') + character;
    } else if (character === '"' || (character === "'" && word === null)) {
      // An apostrophe inside a word is an apostrophe.
      quote = character;
      word ??= '';
    } else if (/\s/u.test(character)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== null) words.push(word);
  return words;
}
