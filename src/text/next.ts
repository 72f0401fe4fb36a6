import type { NextStep } from '../services/nextStep.js';
import { cmd, wrap, type Look } from './look.js';

/** Why, and the exact commands, best first. */
export function nextText(look: Look, next: NextStep): string {
  if (look.form === 'plain') {
    const lines = next.commands.map((words) =>
      isSlashName(words.split(' ')[0] ?? '') ? `/karpathy ${words}` : `${look.terminal} ${words} (in a terminal)`,
    );
    return [`Next: ${next.say}`, ...lines.map((line) => `  ${line}`)].join('\n');
  }
  const arrow = look.colors.cyan('→');
  return [
    `${arrow} ${wrap(next.say, { width: look.width, indent: 2 })}`,
    ...next.commands.map((words) => `  ${cmd(look, words)}`),
  ].join('\n');
}

/** The commands that also exist in a chat. */
export const SLASH_NAMES = [
  'status',
  'show',
  'diff',
  'history',
  'propose',
  'calibrate',
  'approve',
  'reject',
  'apply',
  'revert',
  'finish',
  'pause',
  'resume',
  'help',
] as const;

export type SlashName = (typeof SLASH_NAMES)[number];

export function isSlashName(word: string): word is SlashName {
  return (SLASH_NAMES as readonly string[]).includes(word);
}

/** Hints name commands in several forms; here they read as the person types them on this surface. */
export function asTyped(text: string, command: string): string {
  return text.replaceAll(/`(?:hermes (?:-p \S+ )?)?karpathy ([a-z-]+)/gu, (whole, word: string) => {
    // A chat has only some of the commands; the others keep their terminal form.
    if (command === '/karpathy' && !isSlashName(word)) return whole;
    // Hermes does these itself, so they are always its commands.
    if (word === 'setup' || word === 'install') return whole;
    return `\`${command} ${word}`;
  });
}
