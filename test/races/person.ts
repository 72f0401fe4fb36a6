import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { randomFrom } from '#src/gate/random.js';
import { sha256 } from '#src/ratchet/digest.js';
import { targetIn } from '../faults/world.js';
import type { PersonEdit, PersonReport, RaceOrder } from './protocol.js';

const PAUSE_MS = { least: 100, most: 1500 };

/** Saves a text of their own now and then, the way some editors do it (in place) or others (by rename). */
export async function edit(order: RaceOrder): Promise<PersonReport> {
  const random = randomFrom(order.seed);
  const profile = order.profiles[0] ?? '';
  const target = targetIn(order.root, profile);
  const edits: PersonEdit[] = [];
  for (;;) {
    const pause = PAUSE_MS.least + random() * (PAUSE_MS.most - PAUSE_MS.least);
    if (Date.now() + pause >= order.until) return { role: 'person', profile, edits };
    await delay(pause);
    const how = random() < 0.5 ? 'in place' : 'by rename';
    const text = `You are a careful assistant.\n${order.name} wrote this as number ${edits.length + 1}.\n`;
    const seen = readFileSync(target);
    if (how === 'in place') writeFileSync(target, text);
    else {
      const beside = `${target}.person`;
      writeFileSync(beside, text, { mode: statSync(target).mode & 0o777 });
      renameSync(beside, target);
    }
    edits.push({ sha256: sha256(Buffer.from(text)), seenSha256: sha256(seen), how, at: Date.now() });
  }
}
