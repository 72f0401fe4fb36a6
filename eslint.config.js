import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/**
 * Imports point one way:
 * errors <- domain, gate <- schemas <- ports, config <- store | ratchet | metrics | evaluation | hermes | llm
 *   (siblings do not import one another) <- services <- cli | slash | http | bridge <- app wiring
 */
const edges = ['./src/cli', './src/slash', './src/http', './src/bridge'];
const adapters = ['store', 'ratchet', 'metrics', 'evaluation', 'hermes', 'llm'];
const top = [...edges, './src/app.ts', './src/plugin.ts', './src/index.ts'];
const zone = (target, from, message) => ({ target, from, message });

const zones = [
  ...['./src/domain', './src/gate'].map((target) =>
    zone(
      target,
      [
        './src/schemas.ts',
        './src/ports.ts',
        './src/config.ts',
        './src/services',
        ...adapters.map((a) => `./src/${a}`),
        ...top,
      ],
      'domain and gate are pure: they import errors and each other only.',
    ),
  ),
  zone(
    ['./src/schemas.ts', './src/ports.ts', './src/config.ts'],
    ['./src/services', ...adapters.map((a) => `./src/${a}`), ...top],
    'schemas, ports and config sit below the adapters.',
  ),
  ...adapters.map((a) =>
    zone(
      `./src/${a}`,
      ['./src/services', ...adapters.filter((b) => b !== a).map((b) => `./src/${b}`), ...top],
      'Adapters do not import one another, nor anything above them: a service brings them together.',
    ),
  ),
  zone('./src/services', top, 'Services do not know their surfaces.'),
  zone('./src/cli', ['./src/slash', './src/http', './src/bridge'], 'Surfaces do not import one another.'),
  zone('./src/http', ['./src/slash', './src/cli', './src/bridge'], 'Surfaces do not import one another.'),
  zone('./src/slash', ['./src/http', './src/bridge'], 'Surfaces do not import one another.'),
  // The plain-text presenters are shared by the terminal and the chat.
  { ...zone('./src/slash', './src/cli', 'Of the CLI, the chat uses its texts only.'), except: ['./text'] },
];

const zodAsNamespace = {
  selector: "ImportDeclaration[source.value='zod'] > ImportSpecifier[imported.name='z']",
  message: "Write import * as z from 'zod': a named z brings all of its locales into the bundle that commands load.",
};

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.cache/**', 'docs/**', 'scripts/**', '*.config.*'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    files: ['**/*.ts'],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'no-restricted-syntax': ['error', zodAsNamespace],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
);
