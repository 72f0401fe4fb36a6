import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { PROJECT_DIR } from '../../support/project.js';
import { temporaryDirectory } from '../../support/context.js';
import type { Outcome } from './mounted.js';

/** A mount namespace of its own: of root, else of an unprivileged user where the system allows it. */
const NAMESPACE = process.getuid?.() === 0 ? ['-m'] : ['-Urm'];
const probe = spawnSync('unshare', [...NAMESPACE, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' });
const refused = probe.status === 0 ? null : `no mount namespace here: ${probe.error?.message ?? probe.stderr.trim()}`;
if (refused !== null) console.log(`not tested on real file systems, ${refused}`);

interface Report {
  readonly outcomes: readonly Outcome[];
  readonly looked: { readonly notes: readonly string[]; readonly state: string };
  readonly meanwhile: Readonly<Record<string, unknown>>;
}

describe.skipIf(refused !== null)('on a real file system', () => {
  let report: Report;
  beforeAll(async () => {
    const place = temporaryDirectory();
    const program = join(PROJECT_DIR, 'test/integration/disk/mounted.ts');
    const node = [process.execPath, '--import', 'tsx', '--import', './bench/sqlText.mjs', program, place];
    const { stdout } = await promisify(execFile)('unshare', [...NAMESPACE, '--', ...node], {
      cwd: PROJECT_DIR,
      maxBuffer: 1e7,
    });
    report = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as Report;
  }, 120_000);

  const OPERATIONS = ['apply', 'revert', 'propose', 'evaluate', 'ingest', 'backup', 'snapshot', 'init'];
  it.each(OPERATIONS)('%s: a clear error before anything is written, and with room again it goes through', (name) => {
    const of = report.outcomes.filter(({ operation }) => operation === name);
    expect(of.map(({ fault }) => fault)).toEqual(['nearly full', 'full', 'read-only']);
    for (const { fault, error, changed, retry } of of) {
      expect({ fault, changed, retry }).toEqual({ fault, changed: [], retry: null });
      expect(error).toMatchObject({ code: 'io' });
      expect(error?.hint).toMatch(/space|writable/);
      expect(error?.message, fault).toMatch(/\/karpathy-test-[^/]*\//);
      expect(error?.message, fault).not.toMatch(/\n|Unexpected failure/);
      if (fault === 'nearly full')
        expect(error?.message).toMatch(/Nothing was changed: .* has \d.* left, and about .* are needed for/);
    }
  });

  it('a command that only looks goes on, and says what could not be done', () => {
    expect(report.looked.state).toBe('live');
    expect(report.looked.notes.join()).toMatch(/^Sessions are not counted now\. .*karpathy-test-/);
  });

  it('a disk that fills up under a job makes it wait, and its verdict comes when there is room', () => {
    expect(report.meanwhile).toMatchObject({
      stopped: [{ state: 'waiting', error: { code: 'io' } }],
      goneOn: 'finished',
      verdict: 'keep',
    });
    expect(JSON.stringify(report.meanwhile)).toContain(
      'are needed for rows of the controller DB, the slots of the trials',
    );
  });
});
