import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

const engine = readFileSync('wasm/browser-mtls.wasm');
const decoders = readFileSync('wasm/decoders.wasm');
const roots = readFileSync('src/trust/mozilla-roots.bin');
const PAGE = '<!doctype html><title>App</title>';

let server: Server;
let origin: string;
let asked: string[];

/** What the library is after a page was loaded: no file asked for, nothing configured. */
async function freshLibrary() {
  vi.resetModules();
  const [{ configure }, { loadEngine }, { loadDecoders }, { loadMozillaRoots }] = await Promise.all([
    import('../../../src/engine/configure.js'),
    import('../../../src/engine/load.js'),
    import('../../../src/fetch/decoding/wasm-decoder.js'),
    import('../../../src/trust/mozilla-roots.js'),
  ]);
  return { configure, loadEngine, loadDecoders, loadMozillaRoots };
}

function respond(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', origin);
  asked.push(pathname);
  const send = (status: number, type: string, body: string | Buffer) =>
    response.writeHead(status, { 'content-type': type }).end(body);
  if (pathname === '/engine.wasm') send(200, 'application/wasm', engine);
  else if (pathname === '/decoders.wasm') send(200, 'application/wasm', decoders);
  else if (pathname === '/roots.bin') send(200, 'application/octet-stream', roots);
  else if (pathname === '/zip') send(200, 'application/zip', 'PK\x03\x04');
  else if (pathname === '/empty') send(200, 'text/plain', '');
  else if (pathname === '/missing') send(404, 'text/plain', 'no such file');
  else if (pathname === '/moved') response.writeHead(302, { location: '/page' }).end();
  else if (pathname === '/cut') {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '100' }).write('\0asm');
    setTimeout(() => response.destroy(), 20);
  } else send(200, 'text/html', PAGE);
}

beforeAll(async () => {
  server = createServer(respond);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  asked = [];
});
afterEach(() => {
  vi.unstubAllGlobals();
});
afterAll(() => {
  server.close();
});

it('sets where all files come from, and each is fetched and compiled once', async () => {
  const library = await freshLibrary();
  library.configure({ engine: `${origin}/engine.wasm`, mozillaRoots: new URL('/roots.bin', origin) });
  library.configure({ decoders: `${origin}/decoders.wasm` });
  const [first, second] = await Promise.all([library.loadEngine(), library.loadEngine()]);
  expect(first).toBe(second);
  expect(await library.loadEngine(new URL('/engine.wasm', origin))).toBe(first);
  expect(await library.loadDecoders()).toBe(await library.loadDecoders());
  expect(await library.loadMozillaRoots()).toBe(await library.loadMozillaRoots());
  expect(asked).toEqual(['/engine.wasm', '/decoders.wasm', '/roots.bin']);
});

it('takes a response, bytes and a module, and each is enough for all calls', async () => {
  for (const given of [
    await fetch(`${origin}/engine.wasm`),
    new Uint8Array(engine),
    new WebAssembly.Module(engine),
  ]) {
    const { configure, loadEngine } = await freshLibrary();
    configure({ engine: given });
    expect(await loadEngine()).toBe(await loadEngine());
    expect(await loadEngine(given)).toBe(await loadEngine());
  }
});

it('takes addresses that are relative to the page', async () => {
  const { configure, loadEngine } = await freshLibrary();
  vi.stubGlobal('document', { baseURI: `${origin}/app/page` });
  configure({ engine: '../engine.wasm' });
  await loadEngine();
  expect(asked).toEqual(['/engine.wasm']);
});

it('is refused once a file was asked for, and for what is not a source', async () => {
  const { configure, loadEngine } = await freshLibrary();
  const late = new TypeError('"configure" must be called before the first use of this library');
  expect(() => configure({ engin: '/engine.wasm' } as object)).toThrow(/"engin" is not an option/);
  expect(() => configure({ engine: 1 } as object)).toThrow(
    new TypeError('"engine" must be an address, a Response, bytes or a WebAssembly.Module'),
  );
  expect(() => configure({ mozillaRoots: new WebAssembly.Module(engine) } as object)).toThrow(
    new TypeError('"mozillaRoots" must be an address, a Response, or bytes'),
  );
  configure({});
  const loading = loadEngine(new Uint8Array(engine));
  expect(() => configure({ decoders: `${origin}/decoders.wasm` })).toThrow(late);
  await loading;
  expect(() => configure({})).toThrow(late);
});

it('fetches again after a failure', async () => {
  const { loadEngine } = await freshLibrary();
  await expect(loadEngine(`${origin}/missing`)).rejects.toThrow(/answered 404/);
  await expect(loadEngine(`${origin}/missing`)).rejects.toThrow(/answered 404/);
  expect(asked).toEqual(['/missing', '/missing']);
});

it.each([
  ['/missing?token=secret#x', /from http:\S+\/missing: the server answered 404 \(text\/plain\)\. Serve /],
  ['/page', /answered 200 \(text\/html\), found 3c 21 64 6f: an HTML page\. The server has no such file/],
  ['/node_modules/.vite/engine.wasm', /an HTML page\. Add optimizeDeps: \{ exclude: \['browser-mtls'\] \}/],
  ['/moved', /from http:\S+\/moved: http:\S+\/page answered 200 \(text\/html\), found 3c 21 64 6f: an HTML/],
  ['/zip', /answered 200 \(application\/zip\), found 50 4b 03 04, not /],
  ['/empty', /answered 200 \(text\/plain\), found nothing\. Serve /],
  ['/cut', /answered 200 \(text\/plain\), the transfer failed\. Try again\./],
])('errors name the address and what came back: %s', async (path, expected) => {
  const library = await freshLibrary();
  for (const [load, code, option] of [
    [library.loadEngine, 'ERR_ENGINE_LOAD', /^The engine could not be loaded/],
    [library.loadDecoders, 'ERR_HTTP_DECODING', /^The decoders could not be loaded/],
    [library.loadMozillaRoots, 'ERR_TRUST_ROOTS_LOAD', /^The Mozilla roots could not be loaded/],
  ] as const) {
    const error: Error & { code?: string } = await load(origin + path).catch(it => it);
    expect(error).toMatchObject({ name: 'MtlsError', code });
    expect(error.message).toMatch(option);
    expect(error.message).toMatch(expected);
    expect(error.message).not.toContain('secret');
  }
});

it('errors name an address that is not valid, cannot be reached, or holds credentials', async () => {
  const { loadEngine } = await freshLibrary();
  const messageOf = (source: string) => loadEngine(source).catch(({ message }) => message);
  expect(await messageOf('engine.wasm')).toBe(
    'The engine could not be loaded: "engine.wasm" is not a valid address. Set one with configure({ engine }).',
  );
  expect(await messageOf('http://ada:secret@127.0.0.1:1/engine.wasm')).toMatch(
    /^The engine could not be loaded from http:\/\/127\.0\.0\.1:1\/engine\.wasm: the request failed\. Check/,
  );
  expect(await messageOf('data:application/wasm;base64,c2VjcmV0')).toMatch(
    /from data:…: the server answered/,
  );
  expect(await messageOf('file:///none/engine.wasm')).toMatch(/from file:\/\/\/none\/engine\.wasm: /);
});

it('a response that was read before is told', async () => {
  const { loadEngine } = await freshLibrary();
  const response = await fetch(`${origin}/engine.wasm`);
  await response.arrayBuffer();
  await expect(loadEngine(response)).rejects.toThrow(/its body was read before\. Give it once/);
});

const asset = {
  option: 'engine',
  subject: 'The engine',
  file: 'engine.wasm',
  code: 'ERR_ENGINE_LOAD',
} as const;

it('a bundle without an address of its own is told to configure one', async () => {
  const { Delivery } = await import('../../../src/engine/asset.js');
  const { AssetLoader } = await import('../../../src/engine/asset-loader.js');
  const read = (source: string) => Delivery.of(asset, source);
  // Scripts that are not modules have no import.meta.url, and bundlers leave undefined in its place.
  const loader = new AssetLoader(asset, read, () => new URL('../engine.wasm', undefined));
  await expect(loader.load()).rejects.toMatchObject({
    code: 'ERR_ENGINE_LOAD',
    message:
      'The engine could not be loaded: this bundle does not know its own address. Copy engine.wasm of browser-mtls beside the bundle, and set its address with configure({ engine }).',
  });
});

it.each([
  ['/node_modules/.vite/engine.wasm', '/node_modules/browser-mtls/dist/engine.wasm'],
  ['/app/node_modules/.vite/decoders.wasm', '/app/node_modules/browser-mtls/dist/decoders.wasm'],
  ['/dist/engine.wasm', '/dist/engine.wasm'],
])('a module that Vite 5 to 7 moved finds its files: %s', async (moved, found) => {
  const { AssetLoader } = await import('../../../src/engine/asset-loader.js');
  const loader = new AssetLoader(
    asset,
    async (source: string) => source,
    () => new URL(moved, origin),
  );
  expect(await loader.load()).toBe(origin + found);
});
