import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, it } from 'vitest';
import { startForwarder } from '#src/evaluation/container/forwarder.js';
import { runContained, userOf, type ContainerLimits } from '#src/evaluation/container/runContained.js';
import type { Bubblewrap } from '#src/evaluation/container/container.js';
import { slotPaths } from '#src/evaluation/slot.js';
import { readGuardRecord } from '#src/evaluation/guardRecord.js';
import { temporaryDirectory } from '#test/support/context.js';
import { containerOrReason } from '#test/support/containers.js';

const PYTHON = '/usr/bin/python3';
const NOBODY = 65_534;
const found = await containerOrReason();
const closing: (() => Promise<unknown> | void)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** A server on this machine that says who it is. */
async function listening(answer: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(answer);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  closing.push(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** The ways in which a person can start a trial; root's tests start the second as somebody without rights. */
function kinds(): { readonly who: string; readonly container: Bubblewrap; readonly owner: number | null }[] {
  if (found.kind === null) return [];
  if (!found.isolation.asRoot) return [{ who: 'an ordinary user', container: found, owner: null }];
  const wrapper = join(temporaryDirectory('karpathy-nobody-'), 'bwrap');
  const as = `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`;
  writeFileSync(wrapper, `#!/bin/sh\nexec ${as} ${found.program} "$@"\n`, { mode: 0o755 });
  const isolation = { ...found.isolation, asRoot: false };
  return [
    { who: 'root', container: found, owner: null },
    { who: 'an ordinary user', container: { ...found, program: wrapper, isolation }, owner: NOBODY },
  ];
}

/** A slot like a trial's, and Python instead of Hermes in it. */
async function box({ container, owner }: ReturnType<typeof kinds>[number], limits: Partial<ContainerLimits> = {}) {
  const root = temporaryDirectory('karpathy-box-');
  chmodSync(root, 0o755);
  const slotsDir = join(root, 'slots');
  const paths = slotPaths({ slotsDir, profileHome: join(root, 'dev'), profileName: 'dev' }, 1);
  for (const dir of [paths.home, paths.work, paths.userHome, paths.temp, paths.shared])
    mkdirSync(dir, { recursive: true });
  mkdirSync(join(paths.home, 'plugins'));
  for (const name of ['karpathy-trial.json', 'config.yaml', '.env']) writeFileSync(join(paths.home, name), 'as laid');
  if (owner !== null) {
    for (const dir of [paths.home, paths.work, paths.userHome, paths.temp, paths.shared]) chownSync(dir, owner, owner);
  }
  const model = { host: '127.0.0.1', port: await listening('the model') };
  const forwarder = await startForwarder(model, owner ?? userOf(container, { paths }));
  closing.push(() => forwarder.close());
  const run = async (code: string) => {
    const began = Date.now();
    const { stdout, end } = await runContained(
      {
        container,
        python: PYTHON,
        hostDir: join(process.cwd(), 'host'),
        readOnly: [],
        endpoint: model,
        forwarder,
        limits: { memory_mb: 256, processes: 64, disk_mb: 64, ...limits },
      },
      { paths, env: { PATH: '/usr/bin:/bin', MODEL_PORT: String(model.port) } },
      {
        argv: [PYTHON, '-c', code],
        limits: { deadline: began + 20_000, signal: new AbortController().signal },
      },
    );
    return { stdout, end, ended: readGuardRecord(paths.record).ended?.reason ?? null, ms: Date.now() - began };
  };
  return { root, paths, run };
}

/** Its number. */
const CLONE = process.arch === 'arm64' ? 220 : 56;

const CONNECT = `
import socket, subprocess, sys, os
def ask(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 3) as s:
            s.settimeout(3)
            return s.recv(100).decode() or "closed"
    except OSError as error:
        return type(error).__name__
`;

describe.skipIf(found.kind === null).each(kinds())('a container that $who starts', (kind) => {
  it('reaches the model from its own process, from no other, and nothing else', async () => {
    const other = await listening('somebody else');
    const { run } = await box(kind);
    const { stdout } = await run(`${CONNECT}
port = int(os.environ["MODEL_PORT"])
if len(sys.argv) > 1:
    print(ask(port)); sys.exit()
print(ask(port), flush=True)
print(ask(${other}), flush=True)
code = open(f"/proc/{os.getpid()}/cmdline").read().split(chr(0))[2]
subprocess.run([sys.executable, "-c", code, "child"])
print(open("/proc/net/dev").read().count(":"))
`);
    expect(stdout.split('\n')).toEqual(['the model', 'ConnectionRefusedError', 'closed', '1']);
  });

  it('has no rights, sees nobody and can’t stop who watches it', async () => {
    const { run, paths } = await box(kind);
    const { stdout, end } = await run(`
import ctypes, errno, os, signal
status = dict(line.split(":", 1) for line in open(f"/proc/{os.getpid()}/status") if line.startswith(("Cap", "NoNew")))
print({name: status[name].strip().strip("0") for name in ("CapPrm", "CapEff", "CapAmb", "NoNewPrivs")}, os.getuid() != 0)
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
    os.kill(1, number)
for path in ("/proc/1/environ", "/proc/1/fd", "/proc/1/cwd/"):
    try:
        open(path).read() if path.endswith("environ") else os.listdir(path)
        print("open", path)
    except PermissionError:
        pass
for path in (${JSON.stringify(paths.home)} + "/config.yaml", "/usr/x", "/x", "/etc/x", "/dev/x", "/proc/sys/kernel/hostname"):
    try:
        open(path, "a").write("x")
        print("written", path)
    except OSError:
        pass
libc = ctypes.CDLL(None, use_errno=True)
for name, call in {
    "user namespace": lambda: libc.unshare(0x10000000),
    "by clone": lambda: libc.syscall(${CLONE}, ctypes.c_ulong(0x10000000 | 17), 0, 0, 0, 0),
    "by clone3": lambda: libc.syscall(435, 0, 0),
    "mount": lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, 0),
    "trace": lambda: libc.ptrace(16, 1, 0, 0),
}.items():
    print(name, call(), errno.errorcode[ctypes.get_errno()])
print("done")
`);
    expect(end).toMatchObject({ exitCode: 0, stderrTail: '' });
    expect(stdout.split('\n')).toEqual([
      "{'CapPrm': '', 'CapEff': '', 'CapAmb': '', 'NoNewPrivs': '1'} True",
      '[1, 2]',
      'user namespace -1 EPERM',
      'by clone -1 EPERM',
      'by clone3 -1 ENOSYS',
      'mount -1 EPERM',
      'trace -1 EPERM',
      'done',
    ]);
  });

  it.each([
    ['processes', 'import os\nwhile True:\n    try: os.fork()\n    except OSError: pass', /processes and threads; 64/],
    ['memory', 'held = []\nwhile True:\n    held.append(b"x" * 1000000)', /MemoryError|MB of memory/],
    [
      'memory of several processes',
      'import os, time\nfor _ in range(4): os.fork()\nheld = b"x" * 40000000\ntime.sleep(20)',
      /MB of memory; 256/,
    ],
    [
      'memory that no process has mapped',
      'import os\nfds = [os.memfd_create(str(i)) for i in range(20)]\nfor fd in fds: os.write(fd, bytes(30000000))\nimport time; time.sleep(20)',
      /MB of memory; 256/,
    ],
    ['one large file', 'open("big", "wb").write(bytes(200000000))', /File too large|MB of files; 64/],
    [
      'many files',
      'for i in range(100):\n    open(f"/tmp/{i}", "wb").write(bytes(3000000))\nimport time; time.sleep(20)',
      /MB of files; 64/,
    ],
    [
      'files without a name',
      'import os, time\nheld = []\nfor i in range(40):\n    held.append(open("x", "wb")); held[-1].write(bytes(3000000)); held[-1].flush(); os.unlink("x")\ntime.sleep(20)',
      /MB of files; 64/,
    ],
  ])('ends at its limit of %s', async (_what, code, expected) => {
    const { run } = await box(kind);
    const { end, ended, ms } = await run(code);
    expect(end.exitCode === 88 ? ended : end.stderrTail).toMatch(expected);
    expect(end.timedOut).toBe(false);
    expect(ms).toBeLessThan(15_000);
  });

  it('leaves no process, no link and no pipe behind', async () => {
    const { run, root, paths } = await box(kind);
    const outside = join(root, 'precious.txt');
    writeFileSync(outside, 'precious');
    const mark = `left-${process.pid}-${Date.now()}`;
    const { end } = await run(`
import os, subprocess, sys
subprocess.Popen(["/bin/sh", "-c", "setsid sleep 300 ${mark} &"])
os.symlink(${JSON.stringify(outside)}, "link")
os.symlink("inside.txt", "kept")
open("inside.txt", "w").write("mine")
os.mkfifo("pipe")
os.mkdir("closed", 0)
`);
    expect(end.exitCode).toBe(0);
    expect((await execa('ps', ['-eo', 'args'])).stdout).not.toContain(mark);
    expect(readdirSync(paths.work).sort()).toEqual(['closed', 'inside.txt', 'kept']);
    expect(readFileSync(outside, 'utf8')).toBe('precious');
  });
});
