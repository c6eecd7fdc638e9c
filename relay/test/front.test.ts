import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { Doorkeeper } from '../src/admission/budgets/doorkeeper.js';
import { Front } from '../src/front/front.js';
import { parseRelayOptions } from '../src/options.js';

test('of a thousand requests in one read HTTP parses the first', async () => {
  const settings = parseRelayOptions({});
  const doorkeeper = new Doorkeeper({ limits: settings, proxies: settings.proxies, report: () => {} });
  const front = new Front({ ...settings, doorkeeper });
  let requests = 0;
  front.http.on('request', () => {
    requests++;
  });
  await front.listen({ host: '127.0.0.1', port: 0 }, () => {});
  onTestFinished(() => front.close());
  const socket = connect((front.address() as AddressInfo).port, '127.0.0.1');
  let answer = '';
  socket.on('error', () => {});
  socket.on('data', chunk => {
    answer += chunk;
  });
  socket.write('GET / HTTP/1.1\r\nHost: relay\r\n\r\n'.repeat(1000));
  await once(socket, 'close');
  expect(requests).toBe(1);
  expect(answer).toMatch(/^HTTP\/1.1 426 /);
});
