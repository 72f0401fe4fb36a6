import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchSleep } from './sleepWatch.js';

let at: { wall: number; running: number };
const clocks = { wall: () => at.wall, running: () => at.running };
const pass = (wall: number, running = wall): void => {
  at = { wall: at.wall + wall, running: at.running + running };
};
beforeEach(() => {
  vi.useFakeTimers();
  at = { wall: 1_000_000, running: 0 };
});
afterEach(() => void vi.useRealTimers());

it.each([
  { what: 'the processor stood still', wall: 3_600_000, running: 900 },
  { what: 'nothing was run, by either clock', wall: 60_000, running: 60_000 },
  { what: 'the clock was set', wall: -7_200_000, running: 900 },
])('notices that $what', ({ wall, running }) => {
  const noticed = vi.fn();
  const watch = watchSleep(noticed, clocks);
  for (let i = 0; i < 100; i += 1) {
    pass(1000);
    vi.advanceTimersByTime(1000);
  }
  expect(watch.slept()).toBe(false);
  pass(wall, running);
  vi.advanceTimersByTime(1000);
  expect(noticed).toHaveBeenCalledOnce();
  pass(1000);
  expect(watch.slept()).toBe(true);
});

it('takes a busy machine, and a clock that is kept right, for what they are', () => {
  const watch = watchSleep(() => {}, clocks);
  for (let i = 0; i < 20; i += 1) {
    pass(9000 + i * 40, 9000);
    vi.advanceTimersByTime(1000);
  }
  expect(watch.slept()).toBe(false);
  watch.stop();
});

it('is looked at once more at the end, before any timer fires', () => {
  const watch = watchSleep(() => {}, clocks);
  pass(600_000, 100);
  expect(watch.slept()).toBe(true);
});
