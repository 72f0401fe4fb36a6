import { describe, expect, it } from 'vitest';
import { asHostReads, promptFault, sharesFault, textInPrompt } from './promptText.js';

const base = { sha256: 'base', text: 'Be kind.\n\nBe brief.\n' };
const longer = { sha256: 'longer', text: 'Be kind.\n\nBe brief.\n\nAsk first.\n' };
const tail = '\n\nYou run on Hermes.';

describe('asHostReads', () => {
  it.each([
    ['  Be kind.\n\n', 'Be kind.'],
    ['Be kind.\r\nBe brief.\r\n', 'Be kind.\nBe brief.'],
    ['\ufeff\nBe kind.', 'Be kind.'],
    ['\x1c\u3000Be kind.\x85', 'Be kind.'],
    ['\ufeff\ufeffBe kind.', '\ufeffBe kind.'],
    ['\u200bBe kind.', '\u200bBe kind.'],
    [' \n\t', ''],
  ])('reads %j as %j', (text, read) => {
    expect(asHostReads(text)).toBe(read);
  });
});

describe('textInPrompt', () => {
  it('finds the text that heads the prompt', () => {
    expect(textInPrompt(`Be kind.\n\nBe brief.${tail}`, 'SOUL.md', [longer, base])).toBe(base);
  });

  it('prefers the longer text where one begins with the other, in either order', () => {
    const prompt = `Be kind.\n\nBe brief.\n\nAsk first.${tail}`;
    expect(textInPrompt(prompt, 'SOUL.md', [base, longer])).toBe(longer);
    expect(textInPrompt(prompt, 'SOUL.md', [longer, base])).toBe(longer);
  });

  it('does not take a text that goes on in the same paragraph', () => {
    expect(textInPrompt(`Be kind.\n\nBe brief. Always.${tail}`, 'SOUL.md', [base])).toBeNull();
  });

  it('does not take SOUL.md from the middle of a prompt, nor an empty text', () => {
    expect(textInPrompt(`Other.\n\nBe kind.\n\nBe brief.${tail}`, 'SOUL.md', [base])).toBeNull();
    expect(textInPrompt(`anything`, 'SOUL.md', [{ sha256: 'empty', text: '\n' }])).toBeNull();
  });

  it('finds another context file anywhere, as a whole part', () => {
    expect(textInPrompt(`Soul.\n\nBe kind.\n\nBe brief.${tail}`, 'AGENTS.md', [base])).toBe(base);
    expect(textInPrompt(`Soul.\n\nBe kind.\n\nBe briefer.${tail}`, 'AGENTS.md', [base])).toBeNull();
  });
});

describe('promptFault', () => {
  it('tells a blocked and a truncated file from a healthy one', () => {
    const blocked = '[BLOCKED: SOUL.md contained something. Content not loaded.]\n\nrest';
    expect(promptFault(blocked, 'SOUL.md')).toEqual({ kind: 'blocked', limitChars: null });
    const truncated = 'head\n\n[...truncated SOUL.md: kept 14000+4000 of 30000 chars.]\n\nend';
    expect(promptFault(truncated, 'SOUL.md')).toEqual({ kind: 'truncated', limitChars: 20_000 });
    expect(promptFault(`Be kind.${tail}`, 'SOUL.md')).toBeNull();
  });

  it('does not blame the target for another file', () => {
    expect(promptFault('Be kind.\n\n[BLOCKED: AGENTS.md contained x]', 'SOUL.md')).toBeNull();
    expect(promptFault('Be kind.\n\n[...truncated AGENTS.md: kept 1+1 of 9 chars.]', 'SOUL.md')).toBeNull();
  });

  it('knows when the text before an edit was too long as well', () => {
    const fault = { kind: 'truncated', limitChars: 100 } as const;
    expect(sharesFault(fault, 'x'.repeat(101))).toBe(true);
    expect(sharesFault(fault, `${'x'.repeat(100)}\n`)).toBe(false);
    expect(sharesFault({ kind: 'blocked', limitChars: null }, 'x'.repeat(101))).toBe(false);
  });
});
