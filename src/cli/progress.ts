import type { Ora } from 'ora';
import type { ProgressListener, ProgressUpdate } from '../ports.js';
import { count, duration, usd } from '../text/figures.js';
import type { CliIo } from './io.js';

/** `evaluate 12/48 · 3,450 tokens · $0.02 · about 4 min left`. */
export function progressLine(update: ProgressUpdate): string {
  return [
    `${update.phase} ${update.total > 0 ? `${update.done}/${update.total}` : ''}`.trim(),
    ...(update.tokens > 0 ? [`${count(update.tokens)} tokens`, usd(update.costUsd)] : []),
    ...(update.etaMs === null ? [] : [`about ${duration(update.etaMs)} left`]),
    ...(update.message === undefined ? [] : [update.message]),
  ].join(' · ');
}

export interface Progress {
  readonly listen: ProgressListener;
  /** Takes the spinner off the terminal, so that a question or an answer can be written. */
  stop(): void;
}

/** A spinner on a terminal; else a line when a phase begins, at every tenth and at the end. Silent with `--json`. */
export function startProgress(io: CliIo, json: boolean): Progress {
  if (json) return { listen: () => undefined, stop: () => undefined };
  return io.isTTY.stderr ? spinner(io) : lines(io);
}

function spinner(io: CliIo): Progress {
  let shown: Ora | null = null;
  let line = '';
  // Whoever stops before the library is there must not get a spinner afterwards.
  let generation = 0;
  const start = async (mine: number): Promise<void> => {
    const { default: ora } = await import('ora');
    if (mine !== generation || shown !== null) return;
    // CliIo names only what everything else needs; on a terminal it is the real stream.
    shown = ora({ text: line, stream: io.stderr as unknown as NodeJS.WriteStream, discardStdin: false }).start();
  };
  return {
    listen: (update) => {
      line = progressLine(update);
      if (shown === null) void start(generation);
      else shown.text = line;
    },
    stop: () => {
      generation += 1;
      shown?.stop();
      shown = null;
    },
  };
}

function lines(io: CliIo): Progress {
  let last = '';
  return {
    listen: (update) => {
      const tenth = update.total > 0 ? Math.floor((update.done / update.total) * 10) : 0;
      const step = `${update.phase} ${tenth} ${update.message ?? ''}`;
      if (step === last) return;
      last = step;
      io.stderr.write(`${progressLine(update)}\n`);
    },
    stop: () => undefined,
  };
}
