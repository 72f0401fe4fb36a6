import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { LaidSlot } from '#src/evaluation/hermesProcess.js';
import { slotPaths } from '#src/evaluation/slot.js';
import { createWarmProcess } from '#src/evaluation/warmProcess.js';
import type { Logger } from '#src/ports.js';
import { temporaryDirectory } from '#test/support/context.js';

/** Speaks as host/karpathy_warm/server.py does; a trial's argument says what the process holds after it. */
const STUB = `
import json, os, sys
def say(**event):
    sys.stdout.write(json.dumps(event) + "\\n")
    sys.stdout.flush()
with open(os.environ["STARTS"], "a") as file:
    file.write("x")
say(event="ready", pid=os.getpid(), rss=100_000_000, fds=8)
for line in sys.stdin:
    request = json.loads(line)
    held = {"rss": 100_000_000, "fds": 8}
    if request["op"] != "run":
        continue
    if request["call"] == "guard":
        with open(request["stdout"], "w") as file:
            file.write('{"tool_execution": true, "llm_execution": true}')
    elif request["args"] == ["die"]:
        os._exit(1)
    else:
        held.update(json.loads(request["args"][0]))
    say(event="ended", id=request["id"], code=0, left=0, **held)
`;

function setUp() {
  const root = temporaryDirectory('karpathy-warm-');
  mkdirSync(join(root, 'host'));
  writeFileSync(join(root, 'host', 'warm_server.py'), STUB);
  const starts = join(root, 'starts');
  writeFileSync(starts, '');
  const paths = slotPaths({ slotsDir: join(root, 'slots'), profileHome: root, profileName: 'dev' }, 1);
  mkdirSync(paths.work, { recursive: true });
  const env = { PATH: process.env.PATH ?? '', STARTS: starts };
  const laid: LaidSlot = { slot: 1, paths, env, yolo: false, contained: false };
  const warnings: string[] = [];
  const log: Logger = { debug() {}, info() {}, warn: (text) => void warnings.push(text), error() {} };
  const warm = createWarmProcess({
    ...{ hermes: { command: ['/bin/false'], python: 'python3' }, pluginDir: root, profileName: 'dev', log },
    platform: 'linux',
  });
  const { signal } = new AbortController();
  return {
    ...{ warm, warnings },
    /** Whether Hermes was loaded anew for it. */
    trial: async (argument: string) => {
      const loaded = await warm.prepare(laid, signal);
      return { loaded, end: await warm.run(laid, [argument], { deadline: Date.now() + 10_000, signal }) };
    },
  };
}

it.skipIf(process.platform !== 'linux')(
  'replaces a loaded Hermes that has grown, in memory or in descriptors',
  async () => {
    const { warm, trial, warnings } = setUp();
    expect(await trial('{}')).toMatchObject({ loaded: true, end: { exitCode: 0 } });
    expect(await trial('{"rss": 140000000, "fds": 12}')).toMatchObject({ loaded: false });
    expect(await trial('{"rss": 180000000}')).toMatchObject({ loaded: false, end: { exitCode: 0 } });
    expect(await trial('{"fds": 40}')).toMatchObject({ loaded: true });
    expect(await trial('{}')).toMatchObject({ loaded: true });
    expect(await trial('{}')).toMatchObject({ loaded: false });
    expect(warm).toMatchObject({ name: 'warm', fellBack: null });
    expect(warnings).toEqual([]);
    await warm.close();
  },
);

it.skipIf(process.platform !== 'linux')('goes on cold when it dies again and again, and says why once', async () => {
  const { warm, trial, warnings } = setUp();
  for (let times = 0; times < 3; times += 1) {
    expect(await trial('die')).toMatchObject({ loaded: true, end: { exitCode: null } });
  }
  expect(warm).toMatchObject({ name: 'cold', fellBack: 'the loaded Hermes ended 3 times in a row' });
  expect(warnings).toEqual([expect.stringContaining('ended 3 times in a row')]);
  await warm.close();
});
