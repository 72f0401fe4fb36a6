/**
 * Which runner a setting stands for on a platform, and why in words. A `warm` runner may still find that the installed
 * Hermes can't be loaded once for all; it says so when it does.
 */
export function runnerInUse(
  kind: 'auto' | 'warm' | 'cold',
  platform: NodeJS.Platform,
): { readonly name: 'warm' | 'cold'; readonly why: string } {
  if (kind === 'cold') return { name: 'cold', why: 'runner.kind asks for a fresh Hermes for each' };
  if (platform !== 'linux') return { name: 'cold', why: `a loaded Hermes needs Linux, and this is ${platform}` };
  return { name: 'warm', why: 'each is forked from a Hermes that is loaded once per slot' };
}
