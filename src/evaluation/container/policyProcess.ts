import { KarpathyError } from '../../errors.js';
import type { HermesProcess } from '../hermesProcess.js';
import { createContainedProcess, type ContainedOptions } from './containedProcess.js';

/** Contained trials in containers, all others as `plain` runs them. */
export function withContainers(
  plain: HermesProcess,
  { containers, ...options }: Omit<ContainedOptions, 'containers'> & Partial<Pick<ContainedOptions, 'containers'>>,
): HermesProcess {
  const contained = containers === undefined ? REFUSED : createContainedProcess({ ...options, containers });
  return {
    get name() {
      return plain.name;
    },
    get fellBack() {
      return plain.fellBack;
    },
    prepare: (laid, signal) => (laid.contained ? contained : plain).prepare(laid, signal),
    run: (laid, args, limits) => (laid.contained ? contained : plain).run(laid, args, limits),
    async close() {
      await Promise.all([plain.close(), contained.close()]);
    },
  };
}

const refuse = async (): Promise<never> => {
  throw new KarpathyError('host_failed', 'This runner was set up without containers, and the scenario asks for one.');
};
const REFUSED: HermesProcess = { name: 'contained', fellBack: null, prepare: refuse, run: refuse, async close() {} };
