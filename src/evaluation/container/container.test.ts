import { describe, expect, it } from 'vitest';
import { findContainer, whyRefused } from './container.js';

describe('whether tools can run in a container', () => {
  it('is said with what to do about it', async () => {
    expect(await findContainer({ env: {}, platform: 'darwin' })).toMatchObject({
      problem: expect.stringMatching(/Linux.*darwin/) as string,
    });
    expect(await findContainer({ env: { PATH: '/nowhere' }, platform: 'linux' })).toMatchObject({
      problem: expect.stringMatching(/bwrap.*not on PATH/) as string,
      fix: expect.stringMatching(/apt install bubblewrap/) as string,
    });
  });

  it.each([
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', /user namespaces are disabled/, /sysctl kernel/],
    ['/proc/sys/user/max_user_namespaces', '0', /user namespaces are disabled/, /sysctl user/],
    ['/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1', /AppArmor/, /profile/],
    ['/.dockerenv', '', /a container itself/, /outer container/],
    ['', '', /^It failed$/, /Allow/],
  ])('names what stands in the way: %s %s', (path, value, problem, fix) => {
    const found = whyRefused('It failed', (asked) => (asked === path ? value : null));
    expect(found.problem).toMatch(problem);
    expect(found.fix).toMatch(fix);
  });
});
