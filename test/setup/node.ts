import { readFile } from 'node:fs/promises';

// Node's fetch knows no file: addresses, and the engine's default address is one when the sources run in Node.
const fetchByNetwork = globalThis.fetch;

globalThis.fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  if (!url.startsWith('file:')) return fetchByNetwork(input, init);
  const { pathname } = new URL(url);
  return new Response(await readFile(decodeURIComponent(pathname)));
};
