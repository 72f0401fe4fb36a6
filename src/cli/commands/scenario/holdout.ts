import type { HoldoutOptions } from '#src/services/holdout.js';
import { agree } from '../../agree.js';
import type { Session } from '../../command.js';

/** Asks a person before the holdout is shown; without the flag nothing is asked and nothing shown. */
export async function agreeToHoldout(
  session: Session,
  options: { readonly includeHoldout: boolean; readonly yes: boolean },
): Promise<HoldoutOptions> {
  if (!options.includeHoldout) return {};
  await agree(session, {
    what: 'showing the holdout',
    question: 'Show the holdout?',
    preview: 'Who has seen the holdout writes edits for it, and then it proves less. Each view is recorded.',
    yes: options.yes,
  });
  return { includeHoldout: true, privileged: true };
}
