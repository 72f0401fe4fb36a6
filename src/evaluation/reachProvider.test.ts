import { createServer, type AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { canBeReached } from './reachProvider.js';

it('tells a provider that is there from one that is not: refused, without a name, behind a proxy that is gone', async () => {
  const server = createServer();
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const there = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxied = { HTTPS_PROXY: there, no_proxy: 'lab' };
  expect(await canBeReached(there, {})).toBe(true);
  expect(await canBeReached('https://nowhere.invalid', {})).toBe(false);
  expect(await canBeReached('https://nowhere.invalid', proxied)).toBe(true);
  await new Promise((closed) => server.close(closed));
  expect(await canBeReached(there, {})).toBe(false);
  expect(await canBeReached('https://nowhere.invalid', proxied)).toBe(false);
  // What can't be tried is the agent's time, as ever.
  expect(await canBeReached('', {})).toBe(true);
  expect(await canBeReached('acp://local', {})).toBe(true);
});
