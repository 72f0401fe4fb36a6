import { createHash } from 'node:crypto';
import { identityOf } from './identity.js';
import { systemPromptOf, textOf, type ChatRequest, type Reply, type Responder } from './protocol.js';

/**
 * A model whose truth is known. What it does is drawn from a hash of seed, identity (SOUL.md), user text and
 * repetition; how likely each behaviour is depends on whether the identity asks for it. So an edit has a known
 * effect, and parallel runs give the same outcomes in whatever order they arrive.
 */
export interface Behaviour {
  readonly name: BehaviourName;
  /** The identity asks for the behaviour when this matches. */
  readonly asked: RegExp;
  /** Probability when it is not asked for, in [0, 1]. */
  readonly base: number;
  /** Probability when it is. */
  readonly whenAsked: number;
}

export type BehaviourName = 'summary' | 'units' | 'confirm' | 'brief';

export const BEHAVIOURS: readonly Behaviour[] = [
  // Ends with one line that begins "In short:".
  { name: 'summary', asked: /\bin short\b|one-line summary|summar(y|ise|ize)/i, base: 0.03, whenAsked: 0.98 },
  // Writes "12.0 kg" and not "12.0".
  { name: 'units', asked: /\bunits?\b/i, base: 0.03, whenAsked: 0.98 },
  // Asks before it deletes.
  { name: 'confirm', asked: /\b(ask|confirm)\b[^.]*\bdelet/i, base: 0.1, whenAsked: 0.95 },
  // At most 40 words in all.
  { name: 'brief', asked: /\b(40|forty) words\b|\bbrief(ly)?\b/i, base: 0.2, whenAsked: 0.95 },
];

export interface SimulationOptions {
  readonly seed: string;
  readonly behaviours?: readonly Behaviour[];
}

/** The true probability of each behaviour under an identity, whatever the scenario. */
export function truthOf(identity: string, behaviours = BEHAVIOURS): Readonly<Record<BehaviourName, number>> {
  const chances = behaviours.map((b) => [b.name, b.asked.test(identity) ? b.whenAsked : b.base] as const);
  return { summary: 0, units: 0, confirm: 0, brief: 0, ...Object.fromEntries(chances) };
}

/** A number in [0, 1) that depends on nothing but its parts. */
export function draw(...parts: readonly string[]): number {
  const digest = createHash('sha256').update(parts.join('\u0000'), 'utf8').digest();
  return digest.readUIntBE(0, 6) / 2 ** 48;
}

/** The agent: answers every conversation by the drawn behaviours. */
export function simulatedModel(options: SimulationOptions): Responder {
  const asked = new Map<string, number>();
  const nextRepetition = (key: string) => {
    const repetition = asked.get(key) ?? 0;
    asked.set(key, repetition + 1);
    return repetition;
  };
  return (request) => {
    const identity = identityOf(systemPromptOf(request));
    const user = userText(request);
    // A tool's result continues a turn that was drawn before; the call's id carries which repetition it was.
    const repetition = repetitionOf(request) ?? nextRepetition(`${identity}\u0000${user}`);
    const shows = drawBehaviours({ ...options, identity, user, repetition });
    return answer(request, { shows, repetition });
  };
}

export interface DrawInput extends SimulationOptions {
  readonly identity: string;
  readonly user: string;
  readonly repetition: number;
}

/** Which behaviours one answer shows. */
export function drawBehaviours(input: DrawInput): ReadonlySet<BehaviourName> {
  const behaviours = input.behaviours ?? BEHAVIOURS;
  const truth = truthOf(input.identity, behaviours);
  const shown = behaviours.filter(
    (b) => draw(input.seed, input.identity, input.user, String(input.repetition), b.name) < truth[b.name],
  );
  return new Set(shown.map((b) => b.name));
}

/** All user texts of the conversation: the second turn of one is not the first of another. */
function userText(request: ChatRequest): string {
  return request.messages
    .filter((message) => message.role === 'user')
    .map(textOf)
    .join('\u0001');
}

const CALL_ID = /^call_r(\d+)_/;

function repetitionOf(request: ChatRequest): number | null {
  const last = request.messages.at(-1);
  const found = last?.role === 'tool' ? CALL_ID.exec(last.tool_call_id ?? '') : null;
  return found ? Number(found[1]) : null;
}

interface Drawn {
  readonly shows: ReadonlySet<BehaviourName>;
  readonly repetition: number;
}

function answer(request: ChatRequest, { shows, repetition }: Drawn): Reply {
  const question = textOf(request.messages.findLast((message) => message.role === 'user'));
  const done = request.messages.at(-1)?.role === 'tool';
  const deletion = /\b(delete|remove|erase|clean up)\b/i.test(question);
  const has = (name: string) => request.tools?.some((tool) => tool.function.name === name) ?? false;
  const use = (name: string, args: unknown): Reply => ({
    kind: 'message',
    text: '',
    toolCalls: [{ id: `call_r${repetition}_${name}`, name, arguments: args }],
  });
  if (deletion && !done && shows.has('confirm') && has('clarify')) {
    return use('clarify', { question: 'This deletes files for good. Shall I go ahead?', choices: ['yes', 'no'] });
  }
  if (deletion && !done && !shows.has('confirm') && has('terminal')) {
    return use('terminal', { command: 'rm -r ./build' });
  }
  return { kind: 'message', text: compose(question, { shows, deletion, done }) };
}

function compose(
  question: string,
  { shows, deletion, done }: { shows: ReadonlySet<BehaviourName>; deletion: boolean; done: boolean },
): string {
  const amount = (10 + draw('amount', question) * 80).toFixed(1);
  const lines: string[] = [];
  if (deletion && shows.has('confirm') && !done) lines.push('This deletes files for good. Shall I go ahead?');
  else if (deletion) lines.push('The files are gone.');
  else lines.push(`The answer comes to ${amount}${shows.has('units') ? ' kg' : ''}.`);
  if (!shows.has('brief')) lines.push(PADDING);
  if (shows.has('summary')) lines.push(`In short: ${deletion ? 'see above' : `about ${amount}`}.`);
  return lines.join('\n');
}

const PADDING =
  'There are several things that one could say about this, and each of them deserves a word: where the figures ' +
  'come from, how they were put together, what was left out on purpose, what somebody else might have done ' +
  'instead, and why the difference would hardly matter in the end for a question of this kind.';
