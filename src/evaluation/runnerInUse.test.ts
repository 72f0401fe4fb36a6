import { expect, test } from 'vitest';
import { runnerInUse } from './runnerInUse.js';

test('a loaded Hermes is used on Linux unless a fresh one is asked for, and nowhere else', () => {
  expect(runnerInUse('auto', 'linux').name).toBe('warm');
  expect(runnerInUse('warm', 'linux').name).toBe('warm');
  expect(runnerInUse('cold', 'linux').name).toBe('cold');
  expect(runnerInUse('auto', 'darwin').name).toBe('cold');
  expect(runnerInUse('warm', 'win32')).toMatchObject({ name: 'cold', why: expect.stringContaining('win32') as string });
});
