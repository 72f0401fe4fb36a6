import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defuse } from './defuse.js';
import { endpointOf, proxyOf, SOCKET_NAME, startForwarder } from './forwarder.js';

describe('the model’s endpoint', () => {
  it.each([
    ['https://api.example.com/v1', { host: 'api.example.com', port: 443 }],
    ['http://127.0.0.1:11434/v1', { host: '127.0.0.1', port: 11434 }],
    ['http://[::1]:8080', { host: '::1', port: 8080 }],
    ['http://lab/v1', { host: 'lab', port: 80 }],
  ])('of %s', (url, endpoint) => expect(endpointOf(url, {})).toEqual(endpoint));

  it.each([
    ['', {}, /is not an http/],
    ['moa://local', {}, /is not an http/],
    ['https://[2001:db8::1]/v1', {}, /IPv6/],
    ['https://api.example.com', { https_proxy: 'http://proxy:3128' }, /HTTPS_PROXY is set/],
  ])('refuses "%s" with %o', (url, env, message) => expect(() => endpointOf(url, env)).toThrow(message));

  it('is reached directly where NO_PROXY says so', () => {
    const env = { ALL_PROXY: 'socks5://proxy', no_proxy: 'localhost, .lab' };
    expect(proxyOf(new URL('http://gpu.lab/v1'), env)).toBeNull();
    expect(proxyOf(new URL('http://slab/v1'), env)).toBe('ALL_PROXY');
  });
});

describe('the forwarder', () => {
  it('passes bytes on both ways, and a half that is closed', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      let heard = '';
      socket.on('data', (data) => (heard += data.toString()));
      socket.on('end', () => socket.end(heard.toUpperCase()));
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const forwarder = await startForwarder({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, null);
    const answer = await new Promise<string>((done) => {
      let heard = '';
      const socket = connect({ path: join(forwarder.dir, SOCKET_NAME), allowHalfOpen: true });
      socket.on('data', (data) => (heard += data.toString()));
      socket.on('close', () => done(heard));
      socket.on('end', () => socket.destroy());
      socket.end('hello');
    });
    await forwarder.close();
    server.close();
    expect(answer).toBe('HELLO');
  });
});

describe('a slot after a contained trial', () => {
  it('holds no link that leads out of it, however it is made', () => {
    const root = mkdtempSync(join(tmpdir(), 'karpathy-defuse-'));
    const slot = join(root, 'slot');
    mkdirSync(join(slot, 'deep'), { recursive: true });
    writeFileSync(join(root, 'secret'), 'secret');
    writeFileSync(join(slot, 'own'), 'own');
    symlinkSync('own', join(slot, 'inside'));
    symlinkSync(join(root, 'secret'), join(slot, 'deep', 'absolute'));
    symlinkSync('..', join(slot, 'up'));
    symlinkSync('deep/absolute', join(slot, 'chained'));
    symlinkSync('nowhere', join(slot, 'dangling'));
    defuse(slot);
    const left = readdirSync(slot, { recursive: true }).map(String).sort();
    rmSync(root, { recursive: true });
    expect(left).toEqual(['deep', 'inside', 'own']);
  });
});
