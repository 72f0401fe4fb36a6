/** Uniform in [0, 1). */
export type Random = () => number;

/**
 * A small reproducible generator (sfc32, seeded through FNV-1a): the same draws from the same seed on every machine.
 * Not for secrets.
 */
export function randomFrom(seed: string): Random {
  let hash = 0x811c9dc5;
  for (let i = 0; i < seed.length; i += 1) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
  let a = hash | 0;
  let b = Math.imul(hash, 0x9e3779b1) | 0;
  let c = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) | 0;
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  // The first states of close seeds are still alike.
  for (let i = 0; i < 12; i += 1) next();
  return next;
}
