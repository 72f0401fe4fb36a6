import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, it } from 'vitest';

/** Lints a one-line file as if it stood at `filePath`, with the project's own configuration. */
async function importErrors(filePath: string, specifier: string): Promise<string[]> {
  const eslint = new ESLint({
    overrideConfig: {
      // The text exists in no file of the project, so rules that need types cannot see it; the import rule can.
      languageOptions: { parserOptions: { projectService: false, project: null } },
      rules: tseslint.configs.disableTypeChecked.rules ?? {},
    },
  });
  const [result] = await eslint.lintText(`export * from '${specifier}';\n`, { filePath });
  return (result?.messages ?? []).filter((m) => m.ruleId === 'import-x/no-restricted-paths').map((m) => m.message);
}

describe('imports point one way', () => {
  it.each([
    ['src/domain/probe.ts', '../schemas.js'],
    ['src/gate/probe.ts', '../store/database.js'],
    ['src/schemas.ts', './services/context.js'],
    ['src/store/probe.ts', '../hermes/paths.js'],
    ['src/evaluation/probe.ts', '../services/context.js'],
    ['src/services/probe.ts', '../cli/run.js'],
    ['src/slash/probe.ts', '../cli/run.js'],
  ])('%s may not import %s', async (file, specifier) => {
    expect(await importErrors(file, specifier)).toHaveLength(1);
  });

  it.each([
    ['src/domain/probe.ts', '../errors.js'],
    ['src/services/probe.ts', '../store/database.js'],
    ['src/store/probe.ts', '../schemas.js'],
  ])('%s may import %s', async (file, specifier) => {
    expect(await importErrors(file, specifier)).toEqual([]);
  });
});
