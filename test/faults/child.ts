import { instrument } from './instrument.js';
import type { Operation } from './operation.js';
import { backupOperation, migrateOperation, restoreOperation } from './operations/database.js';
import { evaluateOperation } from './operations/evaluate.js';
import { applyOperations, approveOperation, resolveOperation, revertOperations } from './operations/fileChanges.js';
import { ingestOperation } from './operations/ingest.js';
import { proposeOperation } from './operations/propose.js';
import { relocateOperation } from './operations/relocate.js';
import { tickOperations } from './operations/tick.js';
import { trialsOperation } from './operations/trials.js';

/** The process that is killed, and the one that looks afterwards: started warm, told what to do over its channel. */

export interface Order {
  readonly part: 'build' | 'run' | 'check';
  readonly operation: string;
  readonly root: string;
  /** Number of the point at which to die; null = at none. */
  readonly killAt: number | null;
}

export interface Done {
  /** The points that were passed. */
  readonly points: readonly string[];
  readonly ms: number;
  /** What went wrong; null when nothing did. */
  readonly failure: string | null;
}

const OPERATIONS: readonly Operation[] = [
  approveOperation,
  ...applyOperations,
  ...revertOperations,
  resolveOperation,
  ingestOperation,
  proposeOperation,
  evaluateOperation,
  trialsOperation,
  ...tickOperations,
  migrateOperation,
  backupOperation,
  restoreOperation,
  relocateOperation,
];

const points = instrument();

async function obey({ part, operation: name, root, killAt }: Order): Promise<Done> {
  const operation = OPERATIONS.find((candidate) => candidate.name === name);
  if (operation === undefined) throw new RangeError(`there is no operation ${name}`);
  const began = performance.now();
  let failure: string | null = null;
  points.arm(killAt);
  try {
    await operation[part](root);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  return { points: points.passed(), ms: performance.now() - began, failure };
}

process.on('message', (order: Order) => {
  void obey(order).then((done) => process.send?.(done));
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
