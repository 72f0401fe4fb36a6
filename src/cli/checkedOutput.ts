import { KarpathyError } from '../errors.js';
import type { Output } from './io.js';

/**
 * A stream of this process of which a failed write becomes an error of the command: without a listener it would end
 * the process with a stack trace, with a silent one as if all were well. That a reader went away, as in
 * `karpathy history | head`, is no failure.
 */
export function checkedOutput(stream: NodeJS.WriteStream): Output {
  let failure: NodeJS.ErrnoException | null = null;
  let last: Promise<void> = Promise.resolve();
  stream.on('error', (error: NodeJS.ErrnoException) => (failure ??= error));
  return {
    get columns() {
      return stream.columns;
    },
    write(text) {
      last = new Promise((done) => stream.write(text, () => done()));
    },
    async flush() {
      await last;
      // The stream tells its listeners of an error after the writer's callback.
      await new Promise(setImmediate);
      if (failure === null || failure.code === 'EPIPE') return;
      throw new KarpathyError('io', `The answer could not be written: ${failure.message}.`, {
        cause: failure,
        hint: 'The command itself was carried out; `hermes karpathy status` shows where things stand.',
      });
    },
  };
}

/**
 * Standard error as the stream it is: questions and the progress line draw on it. A failed write of it is no failure of
 * the command, and without a listener it would end the process with a stack trace.
 */
export function errorOutput(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  stream.on('error', () => {});
  return stream;
}
