import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SOUL } from '#test/support/context.js';
import { valueRows, type BadInput } from './badInput.js';
import { HOST_BLOCKS, SECRETS } from './world.js';

/** The file has three sentences. */
const propose = (edit: readonly string[]): readonly string[] => ['propose', '--no-evaluate', ...edit];

/** What does not even name an edit. */
const unnamed = valueRows<readonly string[]>(
  [
    ['a text and nothing to do with it', ['Be kind.'], 'not what to do with it'],
    ['two edits at once', ['--rewrite', '1', '--delete', '2', 'Be kind.'], '--rewrite --delete', 'one edit'],
    ['an edit and a whole file', ['--delete', '1', '--from', 'x'], '--from FILE', 'not both'],
    ['a sentence by its words', ['--delete', 'the first'], '--delete', 'the first', 'number of a sentence'],
    ['a sentence below zero', ['--delete=-1'], '--delete', '-1', 'number of a sentence'],
    ['half a sentence', ['--rewrite', '1.5', 'Be kind.'], '--rewrite', '1.5', 'number of a sentence'],
    ['a range of sentences', ['--delete', '1-3'], '--delete', '1-3', 'number of a sentence'],
    ['ten digits', ['--delete', '1234567890'], '--delete', '1234567890', 'number of a sentence'],
    ['a rewrite without a text', ['--rewrite', '1'], '--rewrite', 'needs the new sentence'],
    ['a rewrite to blanks', ['--rewrite', '1', ' \t '], '--rewrite', 'needs the new sentence'],
    ['a deletion with a text', ['--delete', '1', 'Be kind.'], '--delete', 'takes no text'],
  ],
  (edit) => ({ run: propose(edit), code: 'bad_usage' }),
);

/** What names one that can't be. */
const impossible = valueRows<readonly string[]>(
  [
    ['a sentence that is not there', ['--delete', '4'], 'no sentence 4', '1 to 3'],
    ['the sentence before the first', ['--rewrite', '0', 'Be kind.'], 'no sentence 0', '1 to 3'],
    ['a place behind the end', ['--insert-after', '4', 'Be kind.'], 'no sentence 4', '0 to 3'],
    ['a billion', ['--delete', '999999999'], 'no sentence 999999999', '1 to 3'],
    ['no change', ['--rewrite', '2', 'Answer briefly.'], 'changes nothing'],
    ['no change but blanks', ['--rewrite', '2', '  Answer   briefly. '], 'changes nothing'],
    ['two sentences', ['--rewrite', '2', 'Be kind. Be brief.'], '2 sentences', '"Be brief."'],
    ['two sentences on two lines', ['--insert-after', '3', 'Be kind.\nBe brief.'], '2 sentences'],
    ['forty sentences', ['--insert-after', '3', 'Be kind. '.repeat(40)], '40 sentences'],
    ['a NUL', ['--rewrite', '2', 'Be \0 kind.'], 'control characters', 'U+0000'],
    ['a control sequence of a terminal', ['--rewrite', '2', 'Be \u001b[31mkind.'], 'control characters', 'U+001B'],
    ['half a pair of surrogates', ['--rewrite', '2', 'Be \ud83d kind.'], 'Unicode', 'U+D83D'],
    ['a byte order mark in the middle', ['--rewrite', '2', 'Be \ufeffkind.'], 'U+FEFF'],
    ['text that runs backwards', ['--rewrite', '2', 'Be \u202edink.'], 'U+202E'],
    ['a heading for a sentence', ['--rewrite', '2', '# Rules'], 'heading', 'Markdown markers'],
    ['a list item for a sentence', ['--rewrite', '2', '- Be kind.'], 'list item', 'Markdown markers'],
    ['the opening of a code block', ['--insert-after', '1', '```'], /no sentence|Markdown/],
    ['a rule across the page', ['--insert-after', '1', '--text=---'], /no sentence|Markdown/],
    ['a comment', ['--insert-after', '1', '<!-- be kind -->'], /no sentence|Markdown/],
    [
      'a sentence that runs into the next',
      ['--rewrite', '2', 'Answer as e.g.'],
      'more than one sentence',
      'neighbours',
    ],
  ],
  (edit) => ({ run: propose(edit), code: 'bad_edit' }),
);

/** What the file as a whole says. */
const candidates = valueRows<string>(
  [
    ['the file as it is', DEFAULT_SOUL, 'changes nothing'],
    ['the file with other line ends only', DEFAULT_SOUL.replaceAll('\n', '\r\n'), 'changes nothing'],
    [
      'two sentences changed',
      'You are a kind assistant.\n\nAnswer at length. Ask before you delete anything.\n',
      'differs in 2 sentences',
      'sentence 1',
    ],
    ['all sentences changed', 'One. Two. Three.\n', 'sentences', 'exactly one'],
    ['everything twice', DEFAULT_SOUL + DEFAULT_SOUL, 'sentences', 'exactly one'],
    ['a code block added', `${DEFAULT_SOUL}\n\`\`\`\ncode\n\`\`\`\n`, 'no sentence'],
    ['front matter added', `---\ntitle: x\n---\n${DEFAULT_SOUL}`, /sentence/],
    ['an empty file', '', /sentence/],
  ],
  (content) => ({
    put: ({ work }) => writeFileSync(join(work, 'new.md'), content),
    run: propose(['--from', 'new.md']),
    code: 'bad_edit',
  }),
);

const bytes = valueRows<Uint8Array>(
  [
    ['a version of the file in UTF-16', Buffer.from(DEFAULT_SOUL, 'utf16le'), 'new.md', 'UTF-8'],
    ['a version of the file in Latin-1', Buffer.from('Sei h\u00f6flich.\n', 'latin1'), 'new.md', 'UTF-8'],
    ['a version of the file with a NUL', Buffer.from(`${DEFAULT_SOUL}\0`), 'new.md', 'UTF-8'],
  ],
  (content) => ({
    put: ({ work }) => writeFileSync(join(work, 'new.md'), content),
    run: propose(['--from', 'new.md']),
    code: 'bad_usage',
  }),
);

const refused: BadInput[] = [
  {
    name: 'the only sentence deleted',
    put: ({ target }) => writeFileSync(target, 'Be kind.\n'),
    run: propose(['--delete', '1']),
    code: 'bad_edit',
    names: ['only sentence'],
  },
  {
    name: 'a key of this profile in a sentence',
    run: propose(['--rewrite', '2', `Log in with ${SECRETS[0]}.`]),
    code: 'bad_edit',
    names: ['key or password'],
  },
  {
    name: 'a key of this profile in the reason',
    run: propose(['--rewrite', '2', 'Be kind.', '--rationale', `for ${SECRETS[1]}`]),
    code: 'bad_edit',
    names: ['key or password'],
  },
  {
    name: 'a sentence that the host would block',
    run: propose(['--rewrite', '2', HOST_BLOCKS]),
    code: 'blocked_by_host',
    names: ['SOUL.md', 'prompt injection'],
  },
  {
    name: 'a sentence longer than the host reads',
    run: propose(['--rewrite', '2', `Be ${'very '.repeat(4_000)}kind.`]),
    code: 'blocked_by_host',
    names: ['SOUL.md', '20000'],
  },
  {
    name: 'an edit that was tried before',
    world: 'reverted',
    run: propose(['--insert-after', '3', 'Give the reason first.']),
    code: 'bad_edit',
    names: ['tried before', 'experiment 2'],
  },
  {
    name: 'an edit that was tried before, with other punctuation',
    world: 'reverted',
    run: propose(['--insert-after', '3', 'Give the reason first!']),
    code: 'bad_edit',
    names: ['tried before', 'experiment 2'],
  },
  {
    name: 'a test without a Hermes to run it',
    run: ['propose', '--rewrite', '2', 'Be kind.'],
    code: 'host_failed',
    names: ['Hermes'],
  },
];

export const EDITS: readonly BadInput[] = [...unnamed, ...impossible, ...candidates, ...bytes, ...refused];
