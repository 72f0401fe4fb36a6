import type { Opened, OpenRequest } from '../services/opened.js';

/** What a slash command runs in. */
export interface SlashIo {
  /** Opens with surface `slash`; interactive, since a person typed the command. */
  open(request: OpenRequest & { readonly surface: 'slash' }): Promise<Opened>;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** The messaging platform, when the host could say; null in a local chat. */
  readonly platform: string | null;
  /** The process serves a messaging gateway, where the host gives no user. */
  readonly inGateway: boolean;
  readonly signal?: AbortSignal;
}
