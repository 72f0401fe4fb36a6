import { KarpathyError } from '../errors.js';
import { requirePerson } from '../services/authority.js';
import type { Session } from './command.js';

export interface Agreement {
  /** For the refusal: `approving a change`. */
  readonly what: string;
  readonly question: string;
  /** Refuses what would fail anyway, so that nobody is asked in vain. */
  readonly possible?: () => void;
  /** Shown before the question: diff, evidence, remaining cost. */
  readonly preview: string | (() => string);
  /** Skips the question, not the rule of who may decide. */
  readonly yes: boolean;
}

/**
 * Makes sure that a person decides: first the rule, then the question.
 * @throws KarpathyError `needs_person` when nobody may decide here or the answer was no, `bad_usage` without a terminal
 */
export async function agree(session: Session, agreement: Agreement): Promise<void> {
  requirePerson(session.ctx, agreement.what);
  agreement.possible?.();
  if (agreement.yes) return;
  if (session.canAsk) {
    const { preview } = agreement;
    session.show(typeof preview === 'string' ? preview : preview());
  }
  if (await session.ask.confirm(agreement.question)) return;
  throw new KarpathyError('needs_person', 'Not agreed; nothing was changed.');
}
