const BLOCKS = [...'▁▂▃▄▅▆▇█'];
/** For a terminal that is not known to show UTF-8. */
const ASCII = [...'_.:-=+*#'];

/** One character a value, from 0 to the highest; a value that is not known is a space. */
export function sparkline(values: readonly (number | null)[], { unicode }: { unicode: boolean }): string {
  const steps = unicode ? BLOCKS : ASCII;
  const highest = Math.max(0, ...values.filter((value) => value !== null));
  const step = (value: number) => {
    if (highest === 0 || value <= 0) return steps[0];
    return steps[Math.min(steps.length - 1, Math.ceil((value / highest) * (steps.length - 1)))];
  };
  return values.map((value) => (value === null ? ' ' : step(value))).join('');
}
