import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as surface from '../../src/index.js';
import { listJobs } from '../../src/store/jobs.js';
import { PROJECT_DIR } from '../support/project.js';
import { temporaryDirectory, testContext } from '../support/context.js';
import { live } from '../support/experiments.js';
import { addScenarios } from '../support/suites.js';

const { createRatchet } = surface;

describe('the public surface', () => {
  it('is exactly this', () => {
    expect(Object.keys(surface).sort()).toEqual([
      'ERROR_CODES',
      'KarpathyError',
      'createRatchet',
      'isKarpathyError',
      'register',
    ]);
  });

  it('is the only entry of the package', () => {
    const manifest = JSON.parse(readFileSync(join(PROJECT_DIR, 'package.json'), 'utf8')) as { exports: object };
    expect(Object.keys(manifest.exports)).toEqual(['.', './package.json']);
  });

  it('stands in the README as it is called', () => {
    expect(readFileSync(join(PROJECT_DIR, 'README.md'), 'utf8')).toContain(
      "import { createRatchet } from 'karpathy-self-improve';",
    );
  });
});

describe('a ratchet opened by a program', () => {
  it('answers for a home that is not set up yet', async () => {
    const home = temporaryDirectory();
    const ratchet = await createRatchet({ home, env: { PATH: '' } });
    try {
      expect(await ratchet.status()).toMatchObject({ home, initialised: false });
    } finally {
      ratchet.close();
    }
  });

  it('names a home that does not exist', async () => {
    const home = join(temporaryDirectory(), 'nowhere');
    await expect(createRatchet({ home, env: {} })).rejects.toMatchObject({ code: 'unknown_profile' });
  });

  it('calibrates through the job that other surfaces see', async () => {
    const fixture = testContext();
    const ratchet = await createRatchet({ home: fixture.ctx.profile.home, env: { PATH: '' } });
    await expect(ratchet.calibrate()).rejects.toMatchObject({ code: 'bad_scenario' });
    addScenarios(fixture, { names: ['a'], split: 'holdout' });
    // There is no Hermes to run trials with.
    await expect(ratchet.calibrate({ placebos: 0 })).rejects.toMatchObject({ code: 'host_failed' });
    expect(listJobs(fixture.db, { profileId: fixture.profileId })).toMatchObject([
      { kind: 'calibrate', state: 'failed', error: { code: 'host_failed' } },
    ]);
    ratchet.close();
  });

  it('decides only for a person, whose name is recorded', async () => {
    const fixture = testContext();
    const id = await live(fixture);
    const open = (person?: string) =>
      createRatchet({ home: fixture.ctx.profile.home, env: { PATH: '' }, ...(person === undefined ? {} : { person }) });

    const nobody = await open();
    await expect(nobody.revert(id, 'no')).rejects.toMatchObject({ code: 'needs_person' });
    nobody.close();

    const ratchet = await open('ana');
    await ratchet.revert(id, 'enough');
    expect(ratchet.history(id).at(-1)).toMatchObject({ to: 'reverted', actor: 'person@library:ana' });
    ratchet.close();
  });
});
