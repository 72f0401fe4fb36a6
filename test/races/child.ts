import { observe } from './observer.js';
import { edit } from './person.js';
import type { RaceOrder, RaceReport } from './protocol.js';
import { race } from './racer.js';

/** One process of a race: told what to be over its channel, reports when the time is over. */

const ROLES = { racer: race, person: edit, observer: observe } satisfies Record<
  RaceOrder['role'],
  (order: RaceOrder) => Promise<RaceReport>
>;

process.on('message', (order: RaceOrder) => {
  ROLES[order.role](order).then(
    (report) => process.send?.(report, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.send?.('ready');
