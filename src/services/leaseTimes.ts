/** An executor that is silent for this long has lost its job. */
export const LEASE_TTL_MS = 60_000;
export const HEARTBEAT_MS = 10_000;

/** Two beats missed: enough to take an executor for dead that was told to stop, for nobody goes on with its job. */
const STOP_SILENCE_MS = 25_000;

/** A lease that runs out by then has not been renewed for that long. */
export function silentIfBefore(now: number): number {
  return now + LEASE_TTL_MS - STOP_SILENCE_MS;
}
