import { findContainer, type Bubblewrap, type NoContainer } from '../../src/evaluation/container/container.js';

/** The container of this machine, for tests that need a real one. Says why they are skipped where there is none. */
export async function containerOrReason(): Promise<Bubblewrap | NoContainer> {
  const found = await findContainer({ env: process.env });
  if (found.kind === null)
    process.stderr.write(`Tests of contained tools are skipped: ${found.problem}. ${found.fix}\n`);
  return found;
}
