import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { agentModel, credentialUse, listProfiles, pluginPresence, resolveProfile } from '#src/hermes/profiles.js';
import { temporaryDirectory } from '../../support/context.js';

let root: string;

beforeEach(() => {
  root = temporaryDirectory();
});

function profile(name: string): string {
  const home = join(root, 'profiles', name);
  mkdirSync(home, { recursive: true });
  return home;
}

describe('profiles of a root', () => {
  test('are the root itself and the directories that the host would accept', () => {
    for (const name of ['work', 'dev', 'Not-One', '.hidden']) profile(name);
    writeFileSync(join(root, 'profiles', 'file'), '');
    expect(listProfiles(root).map((p) => p.name)).toEqual(['default', 'dev', 'work']);
  });

  test('a linked profile is identified by its real path', () => {
    const elsewhere = temporaryDirectory();
    mkdirSync(join(root, 'profiles'));
    symlinkSync(elsewhere, join(root, 'profiles', 'linked'));
    expect(resolveProfile(root, 'linked')).toEqual({
      name: 'linked',
      home: join(root, 'profiles', 'linked'),
      rootPath: elsewhere,
    });
  });

  test('an unknown one is refused with those that exist', () => {
    profile('dev');
    expect(() => resolveProfile(root, 'prod')).toThrow(
      expect.objectContaining({ code: 'unknown_profile', hint: 'There are: default, dev.' }),
    );
  });

  test.each(['..', 'a/b', 'Dev', '', 'x'.repeat(65)])('the name %j can be no profile', (name) => {
    expect(() => resolveProfile(root, name)).toThrow(expect.objectContaining({ code: 'unknown_profile', exitCode: 2 }));
  });
});

describe("the agent's model", () => {
  test.each([
    [
      'a mapping',
      'model: {provider: Custom, default: m1, base_url: "http://u:word@h:1/v1?key=word"}',
      { provider: 'custom', model: 'm1', baseUrl: 'http://***@h:1/v1' },
    ],
    ['a name alone', 'model: m2', { provider: null, model: 'm2', baseUrl: null }],
    ['nothing', 'other: 1', { provider: null, model: null, baseUrl: null }],
  ])('is read from %s, without anything secret', (_, text, expected) => {
    writeFileSync(join(root, 'config.yaml'), text);
    expect(agentModel(root)).toEqual(expected);
  });

  test('logins that a trial cannot use are told apart from keys', () => {
    expect(credentialUse('openrouter').kind).toBe('works');
    expect(credentialUse(null).kind).toBe('works');
    expect(credentialUse('openai-codex').kind).toBe('linked');
    expect(credentialUse('qwen-oauth').kind).toBe('unusable');
    expect(credentialUse('some-new-oauth').kind).toBe('unknown');
  });
});

describe('the plugin in a home', () => {
  test('is found as a link, and enabled only when it is listed and not disabled', () => {
    const home = profile('dev');
    expect(pluginPresence(home)).toEqual({ installed: false, linkedTo: null, enabled: false });
    mkdirSync(join(root, 'plugins', 'karpathy-self-improve'), { recursive: true });
    mkdirSync(join(home, 'plugins'));
    symlinkSync(join(root, 'plugins', 'karpathy-self-improve'), join(home, 'plugins', 'karpathy-self-improve'));
    writeFileSync(join(home, 'config.yaml'), 'plugins: {enabled: [karpathy-self-improve]}\n');
    expect(pluginPresence(home)).toMatchObject({ installed: true, enabled: true });
    expect(pluginPresence(home).linkedTo).toContain('karpathy-self-improve');
    writeFileSync(
      join(home, 'config.yaml'),
      'plugins: {enabled: [karpathy-self-improve], disabled: [karpathy-self-improve]}\n',
    );
    expect(pluginPresence(home).enabled).toBe(false);
  });
});
