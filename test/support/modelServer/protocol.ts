/** The part of the OpenAI-compatible protocol that Hermes and the plugin use. */

export interface ToolCall {
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly tool_calls?: readonly ToolCall[];
  readonly tool_call_id?: string;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean;
  readonly temperature?: number;
  readonly tools?: readonly { readonly function: { readonly name: string } }[];
}

/** What a model does with a request. */
export type Reply =
  | {
      readonly kind: 'message';
      readonly text: string;
      readonly toolCalls?: readonly { readonly id?: string; readonly name: string; readonly arguments: unknown }[];
      /** Default: a quarter of the characters, as a rough count. */
      readonly usage?: { readonly input: number; readonly output: number };
      readonly delayMs?: number;
      /** Model name in the answer; default the one asked for. */
      readonly model?: string;
    }
  | { readonly kind: 'status'; readonly status: number; readonly message?: string; readonly headers?: HeaderMap }
  /** 200 with a body that is not the protocol. */
  | { readonly kind: 'garbage'; readonly body: string }
  /** No answer until the caller gives up. */
  | { readonly kind: 'hang' }
  /** The connection breaks in the middle of the answer. */
  | { readonly kind: 'cut' };

type HeaderMap = Readonly<Record<string, string>>;

export type Responder = (request: ChatRequest) => Reply | Promise<Reply>;

/** The text of a message, whether it came as a string or as parts. */
export function textOf(message: ChatMessage | undefined): string {
  const content = message?.content;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part: unknown) => (typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : ''))
    .join('\n');
}

export function systemPromptOf(request: ChatRequest): string {
  return textOf(request.messages.find((message) => message.role === 'system'));
}

export function countTokens(text: string): number {
  return Math.ceil(text.length / 4);
}
