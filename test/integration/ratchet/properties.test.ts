import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyExperiment } from '#src/services/apply.js';
import { startProposal } from '#src/services/propose.js';
import { resolveConflict } from '#src/services/resolve.js';
import { revertExperiment } from '#src/services/revert.js';
import { getExperiment } from '#src/store/experiments.js';
import { findSnapshot } from '#src/store/snapshots.js';
import { testContext, type TestContext } from '../../support/context.js';
import { approved, live } from '../../support/experiments.js';

/** Applies the edit and reverts it; `look` sees the file in between. */
async function thereAndBack(fixture: TestContext, look: () => void): Promise<void> {
  const id = await approved(fixture);
  const before = readFileSync(fixture.target);
  await applyExperiment(fixture.ctx, id);
  expect(readFileSync(fixture.target).equals(getExperiment(fixture.db, id).candidateContent!)).toBe(true);
  look();
  await revertExperiment(fixture.ctx, id, { reason: 'a test' });
  expect(readFileSync(fixture.target).equals(before)).toBe(true);
}

describe('an edit and its revert, byte by byte', () => {
  const texts = {
    'with LF': 'Be kind.\nBe brief.\n',
    'with CRLF': 'Be kind.\r\nBe brief.\r\n',
    'with both': 'Be kind.\r\nBe brief.\nBe fair.\r\n',
    'with CR alone': 'Be kind.\rBe brief.\r',
    'with a byte order mark': '\uFEFFBe kind.\nBe brief.\n',
    'with a byte order mark and CRLF': '\uFEFFBe kind.\r\nBe brief.\r\n',
    'without a last newline': 'Be kind.\nBe brief.',
    'with empty lines at its end': 'Be kind.\n\n\n',
    'with spaces at line ends and tabs': 'Be kind.  \n\t- Be brief.\t\n',
    'with characters outside the basic plane': 'Be kind 🙂.\nSei großzügig — 親切に。\n',
  };
  it.each(Object.entries(texts))('%s', async (_, text) => {
    const fixture = testContext({ soul: text });
    await thereAndBack(fixture, () => undefined);
    expect(readFileSync(fixture.target).equals(Buffer.from(text))).toBe(true);
  });

  it('of an empty file does not begin: it is refused by name', async () => {
    const fixture = testContext({ soul: '' });
    const source = { by: 'person', candidateText: 'Be kind.\n' } as const;
    await expect(startProposal(fixture.ctx, source, { evaluate: false })).rejects.toThrow(/SOUL.md is empty/);
    expect(statSync(fixture.target).size).toBe(0);
  });

  it.each([
    ['emptied', (path: string) => writeFileSync(path, '')],
    ['made a CRLF text without a last newline', (path: string) => writeFileSync(path, '\uFEFFMine.\r\nAll mine.')],
  ])("a person's file that they %s comes back exactly from its snapshot after a restore", async (_, edit) => {
    const fixture = testContext();
    const before = readFileSync(fixture.target);
    const id = await live(fixture);
    edit(fixture.target);
    const theirs = readFileSync(fixture.target);
    await resolveConflict(fixture.ctx, id, { restore: true });
    expect(readFileSync(fixture.target).equals(before)).toBe(true);
    expect(findSnapshot(fixture.db, id, 'person')?.content.equals(theirs)).toBe(true);
  });

  it('a restore of a file that was deleted creates it with the mode it had', async () => {
    const fixture = testContext();
    chmodSync(fixture.target, 0o640);
    const before = readFileSync(fixture.target);
    const id = await live(fixture);
    rmSync(fixture.target);
    await resolveConflict(fixture.ctx, id, { restore: true });
    expect(readFileSync(fixture.target).equals(before)).toBe(true);
    expect(statSync(fixture.target).mode & 0o7777).toBe(0o640);
  });
});

describe('what is not content', () => {
  it.each([0o600, 0o640, 0o644, 0o664, 0o755, 0o2640])('mode %o stays', async (mode) => {
    const fixture = testContext();
    chmodSync(fixture.target, mode);
    const same = () => expect(statSync(fixture.target).mode & 0o7777).toBe(mode);
    await thereAndBack(fixture, same);
    same();
  });

  it.skipIf(process.getuid?.() !== 0)('owner and group stay', async () => {
    const fixture = testContext();
    chownSync(fixture.target, 0, 4321);
    const same = () => expect(statSync(fixture.target)).toMatchObject({ uid: 0, gid: 4321 });
    await thereAndBack(fixture, same);
    same();
  });

  const python = (code: string, ...args: string[]) =>
    execFileSync('python3', ['-c', `import os, sys\n${code}`, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
  const attribute = (path: string, name: string) => python('print(os.getxattr(*sys.argv[1:]).hex())', path, name);
  const set = (path: string, name: string, hex: string): boolean => {
    try {
      python('os.setxattr(sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]))', path, name, hex);
      return true;
    } catch {
      return false;
    }
  };
  // user::rw-, user:4321:r--, group::---, mask::r--, other::---
  const ACL =
    '02000000' + '01000600ffffffff' + '02000400e1100000' + '04000000ffffffff' + '10000400ffffffff' + '20000000ffffffff';

  it.skipIf(process.platform !== 'linux').each([
    ['an extended attribute', 'user.note', '6b657074'],
    ['an access control list', 'system.posix_acl_access', ACL],
  ])('%s stays', async (_, name, value) => {
    const fixture = testContext();
    if (!set(fixture.target, name, value)) {
      console.log(`not tested: this file system takes no ${name}`);
      return;
    }
    const mode = statSync(fixture.target).mode;
    const same = () => {
      expect(attribute(fixture.target, name)).toBe(value);
      expect(statSync(fixture.target).mode).toBe(mode);
    };
    await thereAndBack(fixture, same);
    same();
  });
});
