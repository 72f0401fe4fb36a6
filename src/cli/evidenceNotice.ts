import { evidenceNotice } from '../services/evidenceEpochs.js';
import { asTyped } from '../text/next.js';
import type { Session } from './command.js';

/** Says before a run that spends money what has changed since the error budget was opened. */
export async function showEvidenceNotice(session: Session): Promise<void> {
  const notice = await evidenceNotice(session.ctx);
  if (notice !== null) session.show(`${session.look.colors.yellow('!')} ${asTyped(notice, session.look.command)}`);
}
