import { expect, it } from 'vitest';
import { slotsFor } from './concurrency.js';

const GB = 1024 ** 3;

it.each([
  { what: 'a small laptop', cores: 2, memory: 6 * GB, slots: 2 },
  { what: 'many cores', cores: 32, memory: 64 * GB, slots: 4 },
  { what: 'little memory', cores: 8, memory: 1.3 * GB, slots: 2 },
  { what: 'hardly any memory', cores: 8, memory: 0.1 * GB, slots: 1 },
])('$what takes $slots', ({ cores, memory, slots }) => {
  expect(slotsFor('auto', { cores, memory })).toBe(slots);
  expect(slotsFor(7, { cores, memory })).toBe(7);
});

it('finds out about this machine', () => {
  expect(slotsFor('auto')).toBeGreaterThanOrEqual(1);
});
