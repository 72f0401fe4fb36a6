import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { projectDir } from '../../scripts/bootstrap.mjs';
import { register } from '../../src/plugin.js';
import { cleanup, createHermesRoot, installPlugin, type HermesRoot } from '../support/hermesHost.js';

interface Registrations {
  readonly hooks: string[];
  readonly commands: { name: string; description: string; args_hint: string }[];
  readonly cli_commands: { name: string; help: string; description: string }[];
}

/** What the host's own PluginManager holds of ours after discovery. */
const ASK_THE_HOST = `
import json
import hermes_cli.plugins as plugins
plugins.discover_plugins()
manager = plugins.get_plugin_manager()
ours = lambda callback: callback.__module__.startswith("hermes_plugins.karpathy_self_improve")
print(json.dumps({
  "hooks": [name for name, callbacks in manager._hooks.items() for callback in callbacks if ours(callback)],
  "commands": [
    {"name": name, "description": c["description"], "args_hint": c["args_hint"]}
    for name, c in manager._plugin_commands.items() if c["plugin"] == "karpathy-self-improve"
  ],
  "cli_commands": [
    {"name": c["name"], "help": c["help"], "description": c["description"]}
    for c in manager._cli_commands.values() if c["plugin"] == "karpathy-self-improve"
  ],
  "tools": [name for name in manager._plugin_tool_names if "karpathy" in name],
}))
`;

function registered(): Registrations {
  const seen: Registrations = { hooks: [], commands: [], cli_commands: [] };
  register({
    registerHook: (name) => seen.hooks.push(name),
    registerCommand: ({ name, description, argsHint }) =>
      seen.commands.push({ name, description, args_hint: argsHint }),
    registerCliCommand: (command) => seen.cli_commands.push(command),
  });
  return seen;
}

describe('what is registered', () => {
  let root: HermesRoot;
  beforeAll(async () => {
    root = createHermesRoot();
    await installPlugin(root);
  });
  afterAll(() => cleanup(root));

  const recorded = JSON.parse(readFileSync(join(projectDir, 'registrations.json'), 'utf8')) as Registrations;

  it('is two hooks, one slash command and one CLI command', () => {
    const { hooks, commands, cli_commands: cliCommands } = registered();
    expect(hooks).toEqual(['pre_llm_call', 'post_llm_call']);
    expect(commands.map((command) => command.name)).toEqual(['karpathy']);
    expect(cliCommands.map((command) => command.name)).toEqual(['karpathy']);
    expect(commands[0]?.args_hint).not.toMatch(/^</);
  });

  it('stands in registrations.json as the TypeScript register has it', () => {
    expect(recorded).toEqual(registered());
  });

  it('is what plugin.yaml announces', () => {
    const manifest = parse(readFileSync(join(projectDir, 'plugin.yaml'), 'utf8')) as Record<string, unknown>;
    const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as { version: string };
    expect(manifest).toMatchObject({
      name: 'karpathy-self-improve',
      version,
      kind: 'standalone',
      provides_hooks: recorded.hooks,
      provides_tools: [],
    });
    expect(manifest).not.toHaveProperty('manifest_version');
  });

  it("is what the host's PluginManager recorded, and nothing more", async () => {
    const { stdout } = await execa(root.install.python, ['-c', ASK_THE_HOST], { env: root.env, extendEnv: false });
    const host = JSON.parse(stdout.split('\n').at(-1) ?? '') as Registrations & { tools: string[] };
    expect(host).toEqual({ ...recorded, tools: [] });
  });
});
