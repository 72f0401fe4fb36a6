import type { ChatRequest, Reply, Responder } from './protocol.js';

/** One step of a script: a plain text, a reply, or a function of the request. */
export type Step = string | Reply | ((request: ChatRequest) => string | Reply);

export function say(text: string): Reply {
  return { kind: 'message', text };
}

/** A reply that calls one tool. */
export function call(name: string, args: unknown, id?: string): Reply {
  return { kind: 'message', text: '', toolCalls: [{ name, arguments: args, ...(id !== undefined && { id }) }] };
}

export function fail(status: number, message?: string, headers?: Record<string, string>): Reply {
  return { kind: 'status', status, ...(message !== undefined && { message }), ...(headers && { headers }) };
}

/** Plays the steps in order of arrival, whoever asks; the last one repeats. */
export function scripted(steps: readonly Step[]): Responder {
  let next = 0;
  return (request) => {
    const step = steps[Math.min(next++, steps.length - 1)] ?? '';
    const reply = typeof step === 'function' ? step(request) : step;
    return typeof reply === 'string' ? say(reply) : reply;
  };
}

/**
 * Plays the steps anew in each conversation: the number of assistant messages so far decides. For parallel
 * trials, where the order of arrival does not say who is asking.
 */
export function scriptedPerConversation(steps: readonly Step[]): Responder {
  return (request) => {
    const turn = request.messages.filter((message) => message.role === 'assistant').length;
    const step = steps[Math.min(turn, steps.length - 1)] ?? '';
    const reply = typeof step === 'function' ? step(request) : step;
    return typeof reply === 'string' ? say(reply) : reply;
  };
}
