/** The public surface. `test/integration/exports.test.ts` pins it. */
export { createRatchet, type Ratchet, type RatchetOptions } from './createRatchet.js';
export { ERROR_CODES, isKarpathyError, KarpathyError, type ErrorCode, type Problem } from './errors.js';
export { register, type PluginContext } from './plugin.js';
