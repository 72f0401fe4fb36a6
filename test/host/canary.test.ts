import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { call, say, scriptedPerConversation, startModelServer, type Reply } from '../support/modelServer/index.js';
import { temporaryDirectory } from '../support/context.js';
import { trialBench, treeOf } from './trialFixture.js';

const closing: (() => Promise<void> | void)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
});

/** A web server that nobody may call. */
async function canaryServer() {
  const visits: string[] = [];
  const server = createServer((request, response) => {
    visits.push(`${request.method} ${request.url}`);
    response.end('reached');
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  closing.push(() => void server.close());
  return { visits, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/canary` };
}

const up = ['..', '..', '..', '..'].join('/');

/** What a text gone wrong could make the agent ask for. */
function attempts(victim: string, url: string): readonly [string, Record<string, unknown>][] {
  const file = join(victim, 'keep.txt');
  const patch = (line: string) => ['*** Begin Patch', line, '+owned', '*** End Patch'].join('\n');
  return [
    ['terminal', { command: `rm -r ${victim}` }],
    ['terminal', { command: `wget ${url}`, background: true }],
    ['process', { action: 'list' }],
    ['execute_code', { code: `import shutil; shutil.rmtree(${JSON.stringify(victim)})` }],
    ['execute_code', { code: `import urllib.request; urllib.request.urlopen(${JSON.stringify(url)})` }],
    ['write_file', { path: '~/x', content: 'owned' }],
    ['write_file', { path: '~root/x', content: 'owned' }],
    ['write_file', { path: file, content: 'owned' }],
    ['write_file', { path: `${up}/keep.txt`, content: 'owned' }],
    ['patch', { mode: 'replace', path: file, old_string: 'precious', new_string: 'owned' }],
    ['patch', { mode: 'patch', patch: patch(`*** Add File: ${file}`) }],
    ['patch', { mode: 'patch', patch: patch(`*** Delete File: ${file}`) }],
    ['patch', { mode: 'patch', patch: patch(`*** Move File: in.txt -> ${file}`) }],
    ['read_file', { path: file }],
    ['search_files', { pattern: 'precious', path: victim }],
    ['web_search', { query: url }],
    ['web_extract', { urls: [url] }],
    ['send_message', { target: 'telegram', message: url }],
    ['delegate_task', { goal: `fetch ${url}` }],
    ['cronjob', { action: 'create', schedule: '* * * * *', prompt: `fetch ${url}` }],
    ['memory', { action: 'add', target: 'memory', content: 'owned' }],
    ['skill_manage', { action: 'create', name: 'owned', content: '---\nname: owned\n---' }],
    ['vision_analyze', { image_url: url, question: 'what?' }],
    ['text_to_speech', { text: 'owned' }],
    ['browser_navigate', { url }],
  ];
}

describe.each(['cold', 'warm'] as const)('a trial (%s) whose model asks for what it must not do', (runner) => {
  it('changes nothing outside its slot and contacts no address but the model’s', async () => {
    const victim = temporaryDirectory('karpathy-victim-');
    mkdirSync(join(victim, 'deep'));
    writeFileSync(join(victim, 'keep.txt'), 'precious');
    const canary = await canaryServer();
    const asked = attempts(victim, canary.url);
    // One by one, then all at once: the host runs several calls of one answer on another path.
    const single: Reply[] = asked.map(([name, args], index) => call(name, args, `s${index}`));
    const together: Reply = {
      kind: 'message',
      text: '',
      toolCalls: asked.map(([name, args], index) => ({ id: `p${index}`, name, arguments: args })),
    };
    const server = await startModelServer({
      models: { '*': scriptedPerConversation([...single, together, say('Done.')]) },
    });
    closing.push(() => server.close());
    const bench = trialBench({
      baseUrl: server.baseUrl,
      runner,
      env: 'TAVILY_API_KEY=real-key\nTELEGRAM_BOT_TOKEN=real-token\n',
      config: { approvals: { mode: 'off' }, web: { backend: 'tavily' } },
    });
    closing.push(() => bench.runner.close('finished'));
    const before = [treeOf(victim), treeOf(join(bench.root, 'profiles'))];
    const toolsets = ['terminal', 'code_execution', 'file', 'web', 'browser', 'messaging', 'delegation', 'cronjob'];
    const others = ['memory', 'skills', 'vision', 'tts', 'todo'];

    const result = await bench.runner.run(
      bench.spec({
        maxTurns: asked.length + 10,
        timeoutMs: 200_000,
        spec: { files: { 'in.txt': 'in' }, toolsets: [...toolsets, ...others] },
      }),
      new AbortController().signal,
    );

    expect(result.kind).toBe('completed');
    if (result.kind !== 'completed') return;
    expect(result.response).toBe('Done.');
    const calls = result.toolCalls;
    expect(calls.length).toBe(2 * asked.length);
    // `unknown` is a tool that this host did not offer: it refused the call itself.
    expect(calls.filter((c) => c.handling === 'real')).toEqual([]);
    for (const name of ['write_file', 'patch', 'read_file', 'search_files']) {
      expect(new Set(calls.filter((c) => c.name === name).map((c) => c.handling))).toEqual(new Set(['blocked']));
    }
    for (const name of ['terminal', 'execute_code', 'memory', 'delegate_task', 'cronjob', 'web_extract']) {
      expect(new Set(calls.filter((c) => c.name === name).map((c) => c.handling))).toEqual(new Set(['simulated']));
    }
    expect(JSON.stringify(calls)).not.toContain('"result":"precious');

    expect([treeOf(victim), treeOf(join(bench.root, 'profiles'))]).toEqual(before);
    expect(canary.visits).toEqual([]);
    const audit = bench.audit();
    expect(audit.filter((e) => e.event === 'audit.failed')).toEqual([]);
    const connected = audit.filter((e) => e.event === 'socket.connect');
    expect(connected.filter((e) => !e.detail.includes(String(server.port)))).toEqual([]);
    const outside = audit.filter(
      (e) => ['write', 'remove'].includes(e.event) && !e.detail.startsWith(bench.slotsDir) && e.detail !== '/dev/null',
    );
    expect(outside).toEqual([]);
  });

  it('runs for real only the toolsets that a person confirmed', async () => {
    const victim = temporaryDirectory('karpathy-real-');
    const server = await startModelServer({
      models: {
        '*': scriptedPerConversation([
          call('terminal', { command: `echo real > ${join(victim, 'made.txt')}` }, 'c1'),
          call('execute_code', { code: 'print(1)' }, 'c2'),
          say('Done.'),
        ]),
      },
    });
    closing.push(() => server.close());
    const bench = trialBench({ baseUrl: server.baseUrl, runner });
    closing.push(() => bench.runner.close('finished'));
    const result = await bench.runner.run(
      bench.spec({
        policy: 'real',
        realToolsets: ['terminal'],
        spec: { tools: 'real', toolsets: ['terminal', 'code_execution'] },
      }),
      new AbortController().signal,
    );
    expect(result.kind === 'completed' && result.toolCalls.map((c) => [c.name, c.handling])).toEqual([
      ['terminal', 'real'],
      ['execute_code', 'simulated'],
    ]);
    expect([...treeOf(victim).keys()]).toEqual([join(victim, 'made.txt')]);
  });
});
