import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promptFault, textInPrompt, type KnownText, type PromptFault } from '../domain/promptText.js';
import { readStateDb } from '../metrics/stateDb.js';
import { excludedBySource, type TagFacts } from '../metrics/tagging.js';
import type { ProfileRow } from '../store/profiles.js';
import { recentTargetTexts } from '../store/sessionTags.js';
import type { Context } from './context.js';

/** What state.db says about one session, with the target's text found in its stored prompt. */
export interface SessionFacts extends TagFacts {
  readonly endedAt: number | null;
  readonly fault: PromptFault | null;
}

/**
 * Reads the sessions' records from the profile's state.db. A session that is not stored, or a state.db that cannot
 * be read, has no entry: what depends on it stays unknown until it can be.
 */
export function readSessionFacts(
  ctx: Pick<Context, 'db' | 'log'>,
  profile: Pick<ProfileRow, 'id' | 'rootPath' | 'targetRelpath'>,
  sessionIds: readonly string[],
): ReadonlyMap<string, SessionFacts> {
  const facts = new Map<string, SessionFacts>();
  if (sessionIds.length === 0) return facts;
  const known = knownTexts(ctx, profile);
  const read = readStateDb(profile.rootPath, (state) =>
    state.eachSession(sessionIds, (session) => {
      const prompt = session.systemPrompt ?? '';
      facts.set(session.id, {
        parentSessionId: session.parentSessionId,
        contentSha256: textInPrompt(prompt, profile.targetRelpath, known)?.sha256 ?? null,
        startedAt: session.startedAt,
        endedAt: session.endedAt,
        excludedReason: excludedBySource(session),
        fault: promptFault(prompt, profile.targetRelpath),
      });
    }),
  );
  if (!read.ok) ctx.log.debug(`${profile.rootPath}: ${read.reason}; the sessions' texts stay unknown for now`);
  return facts;
}

/** The texts a session of the profile may carry: those of its newest experiments, and the file as it is now. */
function knownTexts(
  ctx: Pick<Context, 'db'>,
  profile: Pick<ProfileRow, 'id' | 'rootPath' | 'targetRelpath'>,
): KnownText[] {
  const texts = recentTargetTexts(ctx.db, profile.id).map(({ sha256, content }) => ({
    sha256,
    text: content.toString('utf8'),
  }));
  const current = currentText(join(profile.rootPath, profile.targetRelpath));
  const all = current === null ? texts : [...texts, current];
  return all.filter(({ sha256 }, index) => all.findIndex((other) => other.sha256 === sha256) === index);
}

function currentText(path: string): KnownText | null {
  try {
    const bytes = readFileSync(path);
    return { sha256: createHash('sha256').update(bytes).digest('hex'), text: bytes.toString('utf8') };
  } catch {
    // Missing or unreadable: `status` and `doctor` name that; here it only means one text fewer.
    return null;
  }
}
