import type { Actor } from '../domain/experiment.js';
import { KarpathyError } from '../errors.js';
import type { Context } from './context.js';
import { commandFor } from './requireProfile.js';

/** Recorded for what the plugin does by itself, within what a person agreed to at the approval. */
export const RATCHET: Actor = 'ratchet';

/** The command line for this profile, for hints: `hermes -p dev karpathy revert 7`. */
export function commandLine(ctx: Pick<Context, 'profile'>, rest: string): string {
  return `${commandFor(ctx.profile.name)} ${rest}`;
}

/**
 * Refuses unless a person is at the other end. `what`: the decision, as in `approving a change`.
 * A guard, not a boundary: whoever may run programs as this user can also write the file.
 * @throws KarpathyError `needs_person`
 */
export function requirePerson(ctx: Pick<Context, 'surface' | 'config' | 'profile'>, what: string): void {
  const { surface } = ctx;
  const { approvals, slash } = ctx.config.config;
  const refuse = (why: string, hint: string): never => {
    throw new KarpathyError('needs_person', `A person decides about ${what}: ${why}.`, { hint });
  };
  switch (surface.kind) {
    case 'slash':
      // The chat's own process carries HERMES_SESSION_ID too, and its command was typed: only the gateway matters.
      if (surface.platform !== null && !slash.allow_changes_from.includes(surface.platform)) {
        refuse(
          `in a chat on ${surface.platform} the host does not say who wrote`,
          `Use a terminal, or name the platform in slash.allow_changes_from.`,
        );
      }
      return;
    case 'tick':
    case 'work':
      refuse(
        'this runs in the background',
        `Run it in a terminal: \`${commandLine(ctx, 'status')}\` shows what waits.`,
      );
      return;
    case 'cli':
    case 'http':
    case 'library':
      if (surface.agentShell) {
        refuse("this is the shell of an agent's session", 'Run the command in a terminal of your own.');
      }
      if (!surface.interactive && !approvals.allow_noninteractive) {
        refuse('there is no terminal to ask on', 'Run it in a terminal, or set approvals.allow_noninteractive.');
      }
  }
}

/** Who is recorded for a step that may also happen without a person. */
export function actorOf(ctx: Pick<Context, 'surface' | 'actor'>): Actor {
  return ctx.surface.kind === 'tick' || ctx.surface.kind === 'work' ? RATCHET : ctx.actor;
}
