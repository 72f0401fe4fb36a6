import { shortPreflight, type PreflightOptions } from '../services/preflight.js';
import { shortPreflightText } from '../text/preflight.js';
import { asTyped } from '../text/next.js';
import type { Session } from './command.js';

/** What a run could find and would take, in front of it. Says nothing about one that only goes on. */
export async function showPreflight(session: Session, options: PreflightOptions = {}): Promise<void> {
  const view = await shortPreflight(session.ctx, options);
  if (view !== null) session.show(asTyped(shortPreflightText(session.look, view), session.look.command));
}
