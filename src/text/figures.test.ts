import { expect, test } from 'vitest';
import { count, duration, percent, plural, points, probability, shorten, usd } from './figures.js';
import { wrap } from './look.js';

test.each([
  [usd(null), 'unknown price'],
  [usd(0), '$0'],
  [usd(0.00123), '$0.0012'],
  [usd(2), '$2.00'],
  [count(0), '0'],
  [count(999), '999'],
  [count(1000), '1,000'],
  [count(-1_234_567), '-1,234,567'],
  [count(1234.5), '1,234.5'],
  [plural(1, 'trial'), '1 trial'],
  [plural(20_000, 'trial'), '20,000 trials'],
  [percent(null), 'unknown'],
  [points(0.123), '+12 points'],
  [points(-0.5), '-50 points'],
  [probability(0.0123456), 'p = 0.012'],
  [probability(0), 'p < 0.0001'],
  [duration(null), 'unknown'],
  [duration(89_000), '89 s'],
  [duration(240_000), '4 min'],
  [duration(2 * 3_600_000 + 300_000), '2 h 5 min'],
  [duration(14 * 86_400_000), '14 days'],
  [shorten('one\n  two   three', 8), 'one two…'],
])('%s', (shown, expected) => {
  expect(shown).toBe(expected);
});

test('wraps at spaces, never in a word, and indents what follows', () => {
  expect(wrap('aaaa bbbb cccc dddd eeee ffff', { width: 20 })).toBe('aaaa bbbb cccc dddd\neeee ffff');
  expect(wrap(`${'x'.repeat(50)} y`, { width: 30, indent: 2 })).toBe(`${'x'.repeat(50)}\n  y`);
});
