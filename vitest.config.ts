import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

/** The build embeds SQL files as text (tsup's loader); the tests do the same. */
const sqlAsText = {
  name: 'sql-as-text',
  load(id: string): string | undefined {
    return id.endsWith('.sql') ? `export default ${JSON.stringify(readFileSync(id, 'utf8'))};` : undefined;
  },
};

export default defineConfig({
  test: {
    projects: [
      {
        plugins: [sqlAsText],
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
        },
      },
      {
        plugins: [sqlAsText],
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        plugins: [sqlAsText],
        test: {
          name: 'host',
          include: ['test/host/**/*.test.ts'],
          globalSetup: ['test/host/globalSetup.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          // Each file starts processes of its own: two at a time keep two cores busy and deadlines fair.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
