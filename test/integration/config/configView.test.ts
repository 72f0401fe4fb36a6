import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveConfig } from '#src/config.js';
import { configView } from '#src/services/configView.js';
import { testContext } from '../../support/context.js';
import { PROJECT_DIR } from '#test/support/project.js';

describe('configView', () => {
  test('names every leaf with value and source, and the DB that is used', () => {
    const { ctx } = testContext({ config: { gate: { alpha: 0.01 } } });
    const leaves = new Map(configView(ctx).map((leaf) => [leaf.path, leaf]));
    expect(leaves.get('gate.alpha')).toEqual({ path: 'gate.alpha', value: 0.01, source: 'test' });
    expect(leaves.get('gate.epochs')).toMatchObject({ value: 6, source: 'default' });
    expect(leaves.get('db_path')?.value).toBe(ctx.paths.dbPath);
    expect([...leaves.keys()]).toEqual([...ctx.config.sources.keys()]);
  });

  test('hides a password in an address', () => {
    const { ctx } = testContext({
      config: { models: { judge: { base_url: 'https://me:word@models.example/v1', model: 'j' } } },
    });
    const judge = configView(ctx).find((leaf) => leaf.path === 'models.judge');
    expect(judge?.value).toEqual({ base_url: 'https://***@models.example/v1', model: 'j' });
  });
});

test('docs/configuration.md names every key there is', () => {
  const text = readFileSync(join(PROJECT_DIR, 'docs/configuration.md'), 'utf8');
  const documented = new Set([...text.matchAll(/^\| `([a-z_.<>]+)`/gm)].map((match) => match[1]));
  const leaves = [...resolveConfig([]).sources.keys(), 'profiles.<name>'];
  expect(leaves.filter((leaf) => !documented.has(leaf))).toEqual([]);
  expect([...documented].filter((key) => key !== undefined && !leaves.includes(key))).toEqual([]);
});
