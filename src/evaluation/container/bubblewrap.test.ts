import { describe, expect, it } from 'vitest';
import { bubblewrapArguments, outermost, showable, type ContainerView } from './bubblewrap.js';

const slot = {
  home: '/home/me/.hermes/slots/1/profiles/dev',
  work: '/home/me/.hermes/slots/1/work',
  userHome: '/home/me/.hermes/slots/1/userhome',
  temp: '/home/me/.hermes/slots/1/tmp',
  shared: '/home/me/.hermes/slots/1/shm',
};
const view: ContainerView = {
  readOnly: ['/usr', '/home/me/.hermes/hermes-agent'],
  links: [{ at: '/bin', to: 'usr/bin' }],
  placed: [{ from: '/plugin/host', at: '/run/karpathy' }],
  hidden: ['/home/me/.hermes/hermes-agent/.env'],
  slot,
};
const given = (asRoot: boolean) => bubblewrapArguments({ asRoot, disableUserns: true }, view);
const after = (args: readonly string[], option: string): string[] =>
  args.flatMap((arg, index) => (arg === option ? [args[index + 1] ?? ''] : []));

describe('the arguments of bubblewrap', () => {
  it('let nothing be written but the slot', () => {
    expect([...new Set(after(given(false), '--bind'))].sort()).toEqual(Object.values(slot).sort());
    expect(given(false)).not.toContain('--tmpfs');
    expect(after(given(false), '--remount-ro')).toEqual(['/dev', '/']);
  });

  it('keep what watches the trial from being written', () => {
    const readOnly = after(given(false), '--ro-bind');
    for (const name of ['plugins', 'config.yaml', '.env', 'karpathy-trial.json']) {
      expect(readOnly.indexOf(`${slot.home}/${name}`)).toBeGreaterThan(0);
      expect(given(false).indexOf(`${slot.home}/${name}`)).toBeGreaterThan(given(false).lastIndexOf('--bind'));
    }
  });

  it('unshare every namespace, and the user’s where root doesn’t start it', () => {
    for (const asRoot of [true, false]) {
      for (const name of ['pid', 'net', 'ipc', 'uts']) expect(given(asRoot)).toContain(`--unshare-${name}`);
      expect(given(asRoot)).toEqual(expect.arrayContaining(['--die-with-parent', '--as-pid-1', '--new-session']));
    }
    expect(given(false)).toEqual(expect.arrayContaining(['--unshare-user', '--disable-userns']));
    expect(given(true)).not.toContain('--unshare-user');
    expect(after(given(false), '--cap-add')).not.toContain('CAP_SETUID');
  });

  it('hide a key file inside what is shown', () => {
    const at = given(false).lastIndexOf('/dev/null');
    expect(given(false).slice(at - 1, at + 2)).toEqual([
      '--ro-bind',
      '/dev/null',
      '/home/me/.hermes/hermes-agent/.env',
    ]);
  });
});

describe('what is shown of the host’s code', () => {
  it('is never a directory that holds a home, the Hermes root or the slots', () => {
    const code = ['/', '/home', '/home/me', '/home/me/.hermes', '/home/me/.hermes/hermes-agent', '/usr/lib/python3'];
    expect(showable(code, ['/home/me', '/home/me/.hermes'])).toEqual([
      '/home/me/.hermes/hermes-agent',
      '/usr/lib/python3',
    ]);
  });

  it('is named once', () => {
    expect(outermost(['/usr/lib', '/usr', '/usr', '/usrlocal'])).toEqual(['/usr', '/usrlocal']);
  });
});
