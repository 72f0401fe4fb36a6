/** Time as a person's clock shows it, and as the processor counts it, in ms; what runs while a machine sleeps differs. */
export interface Clocks {
  wall(): number;
  running(): number;
}

const SYSTEM: Clocks = { wall: () => Date.now(), running: () => performance.now() };
const LOOK_EVERY_MS = 1000;
/** Between two looks; no load keeps this process from its turn for so long. */
const ASLEEP_MS = 20_000;
/** Setting the clock right by more than this is taken for a sleep as well: limits are reckoned by it. */
const JUMP_MS = 5000;

export interface SleepWatch {
  /** Whether the machine has slept, or the process was stopped, since the watch began. */
  slept(): boolean;
  stop(): void;
}

/**
 * Watches a trial for a sleep of the machine. Where the processor's count goes on in a sleep (macOS), the long silence
 * between two looks gives it away.
 * @param onSleep called once, as soon as it is noticed
 */
export function watchSleep(onSleep: () => void, clocks: Clocks = SYSTEM): SleepWatch {
  let last = { wall: clocks.wall(), running: clocks.running() };
  let slept = false;
  const look = (): void => {
    const now = { wall: clocks.wall(), running: clocks.running() };
    const [passed, ran] = [now.wall - last.wall, now.running - last.running];
    last = now;
    if (slept || (Math.abs(passed - ran) < JUMP_MS && ran < ASLEEP_MS)) return;
    slept = true;
    onSleep();
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  return {
    slept() {
      look();
      return slept;
    },
    stop: () => clearInterval(timer),
  };
}
