import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KarpathyError } from '../errors.js';
import { slotKey, type SlotSource } from './slot.js';

export interface SlotHold {
  held(): boolean;
  /** @throws KarpathyError `busy` when another runner has taken the slots over */
  assertHeld(): void;
  release(): void;
}

/**
 * Takes the profile's slots over from whoever had them. A worker whose job was taken over, because the machine slept
 * for example, comes to know of it here, and neither lays nor wipes what is another's by now.
 */
export function holdSlots(source: Pick<SlotSource, 'slotsDir' | 'profileHome'>): SlotHold {
  const path = join(source.slotsDir, `${slotKey(source.profileHome)}.holder`);
  const id = randomUUID();
  mkdirSync(source.slotsDir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(`${path}.${id}`, id);
    renameSync(`${path}.${id}`, path);
  } catch (error) {
    rmSync(`${path}.${id}`, { force: true });
    throw error;
  }
  const held = (): boolean => {
    try {
      return readFileSync(path, 'utf8') === id;
    } catch {
      return false;
    }
  };
  return {
    held,
    assertHeld() {
      if (held()) return;
      throw new KarpathyError('busy', "The profile's slots were taken over by another process; this one stops.", {
        hint: '`hermes karpathy jobs` shows who is at work.',
      });
    },
    release() {
      if (held()) rmSync(path, { force: true });
    },
  };
}
