import v8 from 'node:v8';
import vm from 'node:vm';
import { expect, it } from 'vitest';
import { ClientRequest } from '../../../src/fetch/request/client-request.js';
import { FetchResponse } from '../../../src/fetch/response/fetch-response.js';

const address = 'https://example.com/';
const fields = { url: address, redirected: false, type: 'basic' } as const;
const stream = () => new Blob(['one two']).stream();

it.each<[name: string, make: () => Request | Response]>([
  ['Request', () => new ClientRequest(address, { method: 'POST', body: stream() })],
  ['Response', () => new FetchResponse(stream(), {}, { fields })],
])('the clones of a %s keep their streams when memory is collected', async (_name, make) => {
  v8.setFlagsFromString('--expose-gc');
  const collect = vm.runInNewContext('gc') as () => void;
  const first = make();
  const clones = [first.clone(), first.clone()];
  for (let count = 0; count < 10; count++) {
    collect();
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  for (const it of [...clones, first]) {
    expect(it.bodyUsed).toBe(false);
    expect(await it.text()).toBe('one two');
  }
});
