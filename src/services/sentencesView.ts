import { splitSentences } from '../domain/sentences.js';
import { readTargetText } from '../ratchet/target.js';
import type { Context } from './context.js';
import { requireProfile } from './requireProfile.js';

export interface SentencesView {
  readonly target: string;
  readonly sentences: readonly { readonly number: number; readonly text: string }[];
}

/** The target's sentences, numbered as a proposal names them. @throws KarpathyError `bad_target` */
export function sentencesView(ctx: Context): SentencesView {
  const { targetRelpath } = requireProfile(ctx);
  const { text } = readTargetText(ctx.profile.rootPath, targetRelpath);
  return {
    target: targetRelpath,
    sentences: splitSentences(text).map(({ number, text: own }) => ({ number, text: own })),
  };
}
