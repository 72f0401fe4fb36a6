import { runJobNow } from '../services/work.js';
import type { Session } from './command.js';

/** Runs a job in this process, with progress; it can be interrupted and goes on with `work`. */
export async function runInForeground({ ctx }: Session, jobId: number): Promise<void> {
  await runJobNow(ctx, jobId);
}
