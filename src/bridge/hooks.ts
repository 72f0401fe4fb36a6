import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { hermesRootOf, markerKey, pathsUnder } from '../hermes/paths.js';
import { SPOOL_FORMAT, type SpoolHookEvent } from '../schemas.js';

/** The bodies of the hooks. The Python shim runs the same ones inside Hermes; a golden test compares the bytes. */

export type HookName = SpoolHookEvent['hook'];

/** What the host passes; more keys than these are ignored. */
export interface HookPayload {
  readonly session_id?: unknown;
  readonly turn_id?: unknown;
  readonly is_first_turn?: unknown;
  readonly model?: unknown;
  readonly platform?: unknown;
  readonly user_message?: unknown;
}

/** What a body asks about the thread it runs on. */
export interface HookSurroundings {
  hermesHome(): string;
  /** `background_review` in the host's own review turns. */
  writeOrigin?(): string | null;
  readonly env?: Readonly<NodeJS.ProcessEnv>;
  now?(): number;
  newId?(): string;
}

export const NOT_EXECUTED =
  "The user's text is a command of the karpathy-self-improve plugin, but it reached you instead of the plugin " +
  'and was not executed (this happens in `hermes chat -q` and while a turn is running). Do not carry it out ' +
  'yourself. Tell the user that the command was not executed and that they can repeat it in an interactive chat ' +
  'when no turn is running, or run `hermes karpathy` in a terminal.';

/** One line as the shim writes it: no spaces, everything but printable ASCII escaped. */
export function encodeEvent(event: object): string {
  const escaped = JSON.stringify(event).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
}

/** The event of one hook call, keys in the order of the line; null when there is no session to count. */
export function hookEvent(hook: HookName, payload: HookPayload, around: HookSurroundings): SpoolHookEvent | null {
  const sessionId = text(payload.session_id);
  if (sessionId === null) return null;
  return {
    v: SPOOL_FORMAT,
    id: around.newId?.() ?? randomBytes(16).toString('hex'),
    hook,
    session_id: sessionId,
    turn_id: text(payload.turn_id),
    home: around.hermesHome(),
    is_first_turn: typeof payload.is_first_turn === 'boolean' ? payload.is_first_turn : null,
    model: text(payload.model),
    platform: text(payload.platform),
    write_origin: around.writeOrigin?.() ?? null,
    trial: (around.env ?? process.env).KARPATHY_TRIAL === '1',
    at: around.now?.() ?? Date.now(),
  };
}

/** Appends the event's line if the profile is set up, and tells the model when a command reached it. Never throws. */
export function runHook(hook: HookName, payload: HookPayload, around: HookSurroundings): { context: string } | null {
  try {
    append(hook, payload, around);
    const asked = hook === 'pre_llm_call' ? text(payload.user_message) : null;
    return asked !== null && /^\/karpathy(?:\s|$)/.test(asked.trimStart()) ? { context: NOT_EXECUTED } : null;
  } catch {
    return null;
  }
}

function append(hook: HookName, payload: HookPayload, around: HookSurroundings): void {
  const home = around.hermesHome();
  const paths = pathsUnder(hermesRootOf(home));
  if (!existsSync(join(paths.enabledMarkers, markerKey(realpathSync(home))))) return;
  const event = hookEvent(hook, payload, around);
  if (event === null) return;
  mkdirSync(paths.spoolDir, { recursive: true, mode: 0o700 });
  const hour = new Date(event.at).toISOString().slice(0, 13).replaceAll(/[-T]/g, '');
  appendFileSync(join(paths.spoolDir, `${hour}-${WRITER}.ndjson`), encodeEvent(event), { mode: 0o600 });
}

/** One file per hour and writer: this process. */
const WRITER = randomBytes(8).toString('hex');

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
