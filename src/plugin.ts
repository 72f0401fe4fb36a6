import { runHook, type HookName, type HookPayload, type HookSurroundings } from './bridge/hooks.js';
import { defaultHermesHome } from './hermes/paths.js';

/** What a plugin may register with a Hermes; the shape of the host's own `ctx`, in TypeScript's spelling. */
export interface PluginContext extends Partial<HookSurroundings> {
  registerHook(name: HookName, callback: (payload: HookPayload) => { context: string } | null): void;
  registerCommand(command: { readonly name: string; readonly description: string; readonly argsHint: string }): void;
  registerCliCommand(command: { readonly name: string; readonly help: string; readonly description: string }): void;
}

/**
 * The single definition of what this plugin registers. The build records it into registrations.json, and the Python
 * shim registers exactly that. Only the hooks have a body here; the two commands are answered by the worker.
 */
export function register(ctx: PluginContext): void {
  const around: HookSurroundings = { ...ctx, hermesHome: ctx.hermesHome ?? homeFromEnvironment };
  for (const hook of ['pre_llm_call', 'post_llm_call'] as const) {
    ctx.registerHook(hook, (payload) => runHook(hook, payload, around));
  }
  ctx.registerCommand({
    name: 'karpathy',
    description: "Improve this profile's SOUL.md one proven sentence at a time",
    // A hint that begins with '<' drops the command from one platform's menu.
    argsHint: 'status | show ID | propose | approve ID | reject ID | apply ID | revert ID | help',
  });
  ctx.registerCliCommand({
    name: 'karpathy',
    help: "Improve this profile's SOUL.md one proven sentence at a time",
    description: 'Proposes, tests, applies and undoes single-sentence edits of the instruction file of a profile.',
  });
}

function homeFromEnvironment(): string {
  return defaultHermesHome(process.env);
}
