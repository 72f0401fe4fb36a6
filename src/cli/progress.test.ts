import { expect, it } from 'vitest';
import type { ProgressUpdate } from '../ports.js';
import type { CliIo } from './io.js';
import { progressLine, startProgress } from './progress.js';

const update: ProgressUpdate = { phase: 'evaluate', done: 12, total: 48, costUsd: 0.021, tokens: 3450, etaMs: 240_000 };

function ioWith(stderrTTY: boolean): { io: CliIo; written: string[] } {
  const written: string[] = [];
  const stderr = { write: (text: string) => written.push(text) };
  return { io: { stderr, isTTY: { stdin: false, stdout: false, stderr: stderrTTY } } as unknown as CliIo, written };
}

it('names trials done, tokens, cost and time left', () => {
  expect(progressLine(update)).toBe('evaluate 12/48 · 3,450 tokens · $0.02 · about 4 min left');
  expect(progressLine({ ...update, costUsd: null })).toContain('unknown price');
  expect(progressLine({ ...update, tokens: 0, etaMs: null, total: 0, message: 'warming up' })).toBe(
    'evaluate · warming up',
  );
});

it('writes a line at every tenth where there is no terminal', () => {
  const { io, written } = ioWith(false);
  const { listen } = startProgress(io, false);
  for (let done = 0; done <= 100; done += 1) listen({ ...update, done, total: 100 });
  expect(written).toHaveLength(11);
  expect(written[10]).toMatch(/^evaluate 100\/100 .*\n$/);
});

it('is silent with --json', () => {
  for (const terminal of [true, false]) {
    const { io, written } = ioWith(terminal);
    const progress = startProgress(io, true);
    progress.listen(update);
    progress.stop();
    expect(written).toEqual([]);
  }
});
