import type { Context } from './context.js';
import { refreshMarkers } from './markers.js';

/**
 * Makes the hooks' markers follow a change that is already made: that they cannot be written now must not report the
 * change as failed. Every start rebuilds them.
 */
export function followMarkers(ctx: Context): void {
  try {
    refreshMarkers(ctx);
  } catch (error) {
    ctx.log.warn(error instanceof Error ? error.message : String(error));
  }
}
