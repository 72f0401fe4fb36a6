import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SOCKET_NAME, startForwarder } from '../../src/evaluation/container/forwarder.js';
import type { TrialResult } from '../../src/ports.js';
import { temporaryDirectory } from '../support/context.js';
import { containerOrReason } from '../support/containers.js';
import { call, say, scriptedPerConversation, startModelServer } from '../support/modelServer/index.js';
import { trialBench } from './trialFixture.js';

const container = await containerOrReason();
const signal = new AbortController().signal;
const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/**
 * Runs a command with the model's port open on the network's only device, and notes at its end which devices there are
 * and for how many packets or connections there was no way.
 */
const LOOPBACK = `
import socket, subprocess, sys, threading
path, port, seen = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = socket.create_server(("127.0.0.1", port))
child = subprocess.Popen(sys.argv[4:])
def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def serve():
    while True:
        inner, _ = server.accept()
        outer = socket.socket(socket.AF_UNIX)
        outer.connect(path)
        for ends in ((inner, outer), (outer, inner)):
            threading.Thread(target=pump, args=ends, daemon=True).start()
threading.Thread(target=serve, daemon=True).start()
code = child.wait()
with open("/proc/net/dev") as devices, open("/proc/net/snmp") as counted, open(seen, "a") as file:
    names = [line.split(":")[0].strip() for line in devices if ":" in line]
    rows = [line.split() for line in counted if line.startswith("Ip:")]
    nowhere = dict(zip(rows[0], rows[1]))["OutNoRoutes"]
    file.write(" ".join(names) + " " + nowhere + chr(10))
sys.exit(code)
`;

function described(result: TrialResult): unknown {
  if (result.kind !== 'completed') return result;
  const { response, apiCalls, inputTokens, outputTokens, limitReached, files } = result;
  const calls = result.toolCalls.map(({ name, arguments: args, handling }) => ({ name, args, handling }));
  return { response, apiCalls, inputTokens, outputTokens, limitReached, calls, files: [...files] };
}

describe.skipIf(container.kind === null)('simulated trials', () => {
  it.each(['cold', 'warm'] as const)(
    '(%s) are the same on a machine whose network is a loopback device',
    async (runner) => {
      const server = await startModelServer({ models: { '*': () => say('unused') } });
      const forwarder = await startForwarder({ host: '127.0.0.1', port: server.port }, null);
      const dir = temporaryDirectory('karpathy-loopback-');
      const [script, seen] = [join(dir, 'loopback.py'), join(dir, 'seen')];
      writeFileSync(script, LOOPBACK);
      writeFileSync(seen, '');
      const program = container.kind === null ? '' : container.program;
      const alone = [program, '--dev-bind', '/', '/', '--unshare-net', 'python3', script];
      const through = [...alone, join(forwarder.dir, SOCKET_NAME), String(server.port), seen];
      const run = async (how: readonly string[]) => {
        const script = [
          call('read_file', { path: 'in.txt' }, 'c1'),
          call('terminal', { command: 'curl https://example.com' }, 'c2'),
          call('web_search', { query: 'anything' }, 'c3'),
          say('Done.'),
        ];
        server.setModel('*', scriptedPerConversation(script));
        const bench = trialBench({ baseUrl: server.baseUrl, runner, through: how });
        const from = server.received.length;
        const spec = bench.spec({
          spec: { files: { 'in.txt': 'in' }, checks: [{ file_equals: { path: 'in.txt', content: 'in' } }] },
        });
        const result = described(await bench.runner.run(spec, signal));
        await bench.runner.close('finished');
        return { result, requests: server.received.slice(from).map(({ method, path }) => `${method} ${path}`) };
      };
      closing.push(
        () => forwarder.close(),
        () => server.close(),
      );
      const open = await run([]);
      const cut = await run(through);
      expect(cut).toEqual(open);
      expect(open.result).toMatchObject({ response: 'Done.' });
      const machines = readFileSync(seen, 'utf8').trim().split('\n');
      expect(machines.length).toBeGreaterThan(0);
      expect(new Set(machines)).toEqual(new Set(['lo 0']));
    },
  );
});
