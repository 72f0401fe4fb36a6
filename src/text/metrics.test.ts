import { describe, expect, it } from 'vitest';
import { csv } from './csv.js';
import { sparkline } from './sparkline.js';

describe('sparkline', () => {
  it('draws from 0 to the highest value, and a space for what is not known', () => {
    expect(sparkline([0, 1, null, 50, 100], { unicode: true })).toBe('▁▂ ▅█');
    expect(sparkline([0, 1, null, 50, 100], { unicode: false })).toBe('_. =#');
  });

  it('draws nothing but zeros on the ground', () => {
    expect(sparkline([0, 0], { unicode: true })).toBe('▁▁');
    expect(sparkline([], { unicode: true })).toBe('');
  });
});

describe('csv', () => {
  it('quotes what would break a row, and leaves out what is not known', () => {
    expect(
      csv(
        ['a', 'b'],
        [
          ['x,y', null],
          ['say "hi"', 0.5],
          ['two\nlines', -1],
        ],
      ),
    ).toBe('a,b\r\n"x,y",\r\n"say ""hi""",0.5\r\n"two\nlines",-1\r\n');
  });
});
