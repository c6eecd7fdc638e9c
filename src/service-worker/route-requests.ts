import { describeError } from '../errors.js';
import { isListOf } from '../util/lists.js';
import { checkOptionNames, type OptionNames } from '../util/options.js';
import { ASK, type RequestMessage, type ToPage, type ToWorker } from './messages.js';
import { ResponseReceiver } from './response-receiver.js';

/** Options of `routeRequests`. */
export interface RouteOptions {
  /** The servers whose requests go to a page, as origins such as `https://api.example.com:8443`. */
  origins: string[];
}

/** How long a page may take to say that it serves requests. */
const ACCEPT_MS = 500;
/** How long a page may take that is being loaded. */
const LOADING_MS = 10_000;

const names: OptionNames<RouteOptions> = { origins: true };

/**
 * In a service worker: hands the requests to some origins over to a page that has called `serveRequests`. So `XMLHttpRequest`,
 * `EventSource`, `<img>` and the like use mutual TLS too (`docs/service-worker.md`).
 *
 * Call it while the worker's script runs for the first time: browsers ignore a listener for `fetch` that comes later. A failed request is a
 * network error for its caller. The worker writes the reason to its console.
 *
 * @throws TypeError for wrong options, and outside a service worker
 */
export function routeRequests(options: RouteOptions): void {
  checkOptionNames(options, names);
  const origins = new Set(readOrigins(options.origins));
  const scope = globalThis as unknown as WorkerScope;
  if (!('ServiceWorkerGlobalScope' in globalThis))
    throw new TypeError('"routeRequests" must be called in a service worker; a page calls serveRequests');
  scope.addEventListener('fetch', event => {
    if (origins.has(new URL(event.request.url).origin)) event.respondWith(answer(scope, event));
  });
  // What pages say keeps the worker alive as long as there is somebody who listens.
  scope.addEventListener('message', () => {});
}

function readOrigins(origins: unknown): string[] {
  const isOrigin = (it: unknown): it is string =>
    typeof it === 'string' &&
    URL.canParse(it) &&
    /^https:/i.test(it) &&
    new URL(it).origin === it.toLowerCase();
  if (!isListOf(origins, isOrigin))
    throw new TypeError('"origins" must be a list of origins, such as https://api.example.com:8443');
  return origins.map(it => it.toLowerCase());
}

async function answer(scope: WorkerScope, event: FetchEvent): Promise<Response> {
  const { request } = event;
  try {
    const message = await describe(request);
    const port = await acceptedPort(scope.clients, event.clientId);
    const response = new ResponseReceiver(port, request.signal).head;
    const send: ToPage = { type: 'send', request: message };
    port.postMessage(send, message.body ? [message.body] : []);
    return await response;
  } catch (error) {
    const { origin, pathname } = new URL(request.url);
    const { code, message } = describeError(error);
    if (!request.signal.aborted)
      console.error(`browser-mtls: ${request.method} ${origin}${pathname}: ${code}: ${message}`);
    return Response.error();
  }
}

/** Firefox gives no stream of a request's body, so it is read as a whole. */
async function describe(request: Request): Promise<RequestMessage> {
  const { url, method, headers, redirect, credentials, integrity } = request;
  const bytes = method === 'GET' || method === 'HEAD' ? undefined : await request.arrayBuffer();
  const body = bytes?.byteLength ? bytes : undefined;
  return { url, method, headers: [...headers], body, redirect, credentials, integrity };
}

/** The port to a page that takes the request: the page that made it, if it serves requests, otherwise another one. */
async function acceptedPort(pages: Pages, ownId: string): Promise<MessagePort> {
  const giveUpAt = performance.now() + LOADING_MS;
  do {
    for (const page of await candidates(pages, ownId)) {
      const port = await ask(page);
      if (port) return port;
    }
    await new Promise(resolve => setTimeout(resolve, ACCEPT_MS / 5));
  } while (performance.now() < giveUpAt);
  throw new Error(
    'No page serves requests: a page of this origin has to call serveRequests(client), and to stay open.',
  );
}

async function candidates(pages: Pages, ownId: string): Promise<readonly PageClient[]> {
  const [own, windows] = await Promise.all([
    ownId ? pages.get(ownId) : undefined,
    pages.matchAll({ type: 'window', includeUncontrolled: true }),
  ]);
  return own ? [own, ...windows.filter(it => it.id !== own.id)] : windows;
}

function ask(page: PageClient): Promise<MessagePort | undefined> {
  const { port1, port2 } = new MessageChannel();
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(undefined), ACCEPT_MS);
    port1.onmessage = ({ data }: MessageEvent<ToWorker>) => {
      if (data.type !== 'accept') return;
      clearTimeout(timer);
      port1.onmessage = null;
      resolve(port1);
    };
    page.postMessage({ type: ASK }, [port2]);
  });
}

// Of the types of service workers, which do not go together with those of pages, what is used here.

interface PageClient {
  readonly id: string;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

interface Pages {
  get(id: string): Promise<PageClient | undefined>;
  matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly PageClient[]>;
}

interface FetchEvent {
  readonly request: Request;
  readonly clientId: string;
  respondWith(response: Promise<Response>): void;
}

interface WorkerScope {
  readonly clients: Pages;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
  addEventListener(type: 'message', listener: () => void): void;
}
