import { BEHAVIOURS, type BehaviourName } from './simulatedModel.js';
import { textOf, type ChatRequest, type Responder } from './protocol.js';

/** How failing trials give away what is missing, and the sentence that asks the simulated agent for it. */
const CURES: readonly { readonly name: BehaviourName; readonly sign: RegExp; readonly sentence: string }[] = [
  { name: 'summary', sign: /in short|summary/i, sentence: 'End every answer with a one-line summary.' },
  { name: 'units', sign: /\bkg\b/, sentence: 'Write the unit after every number.' },
  { name: 'confirm', sign: /asked_user/, sentence: 'Ask before you delete anything, and wait for the answer.' },
  { name: 'brief', sign: /max_tokens/, sentence: 'Answer in at most 40 words.' },
];

/** Words whose exchange changes nothing that the simulated agent reacts to. */
const SYNONYMS: readonly (readonly [string, string])[] = [
  ['helper', 'assistant'],
  ['careful', 'thorough'],
  ['friendly', 'kind'],
  ['customers', 'clients'],
  ['answer', 'reply'],
];

export interface ProposerOptions {
  /** `null-edit`: exchange one word for a synonym, so that the truth is "no effect". Default `helpful`. */
  readonly mode?: 'helpful' | 'null-edit';
}

export interface NumberedSentence {
  readonly number: number;
  readonly text: string;
}

/** A heading or list item is shown with its marker, which is no part of the sentence. */
const MARKER = /^(#+|[-*+])\s+/;

/** The numbered sentences of a proposer's prompt: `3. text`, `3: text`, `[3] text` or `3) text`, from 1 upwards. */
export function numberedSentences(prompt: string): readonly NumberedSentence[] {
  const sentences: NumberedSentence[] = [];
  for (const match of prompt.matchAll(/^\s*\[?(\d+)[\].):]+\s+(.+)$/gm)) {
    const number = Number(match[1]);
    if (number === sentences.length + 1) sentences.push({ number, text: (match[2] ?? '').replace(MARKER, '').trim() });
    else if (sentences.length > 0 && number === 1) break;
  }
  return sentences;
}

/** The proposer: reads its prompt as a model would and answers with one structured edit as JSON. */
export function simulatedProposer(options: ProposerOptions = {}): Responder {
  return (request) => {
    const prompt = promptOf(request);
    const sentences = numberedSentences(prompt);
    const edit = options.mode === 'null-edit' ? synonymEdit(sentences) : helpfulEdit(sentences, prompt);
    return { kind: 'message', text: JSON.stringify(edit) };
  };
}

function promptOf(request: ChatRequest): string {
  return request.messages
    .filter((message) => message.role === 'user')
    .map(textOf)
    .join('\n');
}

function helpfulEdit(sentences: readonly NumberedSentence[], prompt: string) {
  const identity = sentences.map((sentence) => sentence.text).join('\n');
  const missing = CURES.filter((cure) => !BEHAVIOURS.some((b) => b.name === cure.name && b.asked.test(identity)));
  const cure = missing.find((c) => c.sign.test(prompt)) ?? missing[0] ?? CURES[0];
  return {
    operation: 'insert',
    sentence: sentences.at(-1)?.number ?? 0,
    text: cure?.sentence ?? '',
    rationale: `Failing trials lack what this sentence asks for (${cure?.name}).`,
  };
}

function synonymEdit(sentences: readonly NumberedSentence[]) {
  for (const { number, text } of sentences) {
    for (const [from, to] of SYNONYMS) {
      const changed = text.replace(new RegExp(`\\b${from}\\b`), to);
      if (changed !== text)
        return { operation: 'rewrite', sentence: number, text: changed, rationale: 'Clearer wording.' };
    }
  }
  const last = sentences.at(-1);
  return {
    operation: 'rewrite',
    sentence: last?.number ?? 1,
    text: `Please note: ${last?.text ?? ''}`,
    rationale: 'Clearer wording.',
  };
}
