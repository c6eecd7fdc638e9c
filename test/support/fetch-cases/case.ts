import type { MtlsFetch } from '../../../src/fetch/fetch.js';
import type { MtlsRequestClass } from '../../../src/fetch/request/client-request.js';

export interface CaseContext {
  fetch: MtlsFetch;
  /** The client's. */
  Request: MtlsRequestClass;
  /** Two servers, both with a client certificate. */
  origin: string;
  other: string;
  /** One of HTTP/1.1, whatever the others speak. */
  http1: string;
  protocol: 'h2' | 'http/1.1';
}

/** One expectation of the Fetch standard. It runs in Node and in browsers alike. */
export interface FetchCase {
  name: string;
  run(context: CaseContext): Promise<void>;
}

export const fetchCase = (name: string, run: FetchCase['run']): FetchCase => ({ name, run });

export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b || typeof actual !== typeof expected) throw new Error(`${what}: ${a} instead of ${b}`);
}

/** What a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not reject');
}

export async function typeError(promise: Promise<unknown>): Promise<void> {
  equal((await failure(promise)).name, 'TypeError', 'the error');
}

export interface Shown {
  method: string;
  headers: Record<string, string>;
  url: string;
  body: string;
}

export async function shown(
  { fetch, origin }: CaseContext,
  init?: RequestInit,
  base = origin,
): Promise<Shown> {
  return (await fetch(`${base}/show`, init)).json();
}

export function answerUrl(
  base: string,
  { headers, ...rest }: { status?: number; reason?: string; headers?: Record<string, string>; body?: string },
): string {
  const query = new URLSearchParams(Object.entries(rest).map(([name, value]) => [name, String(value)]));
  if (headers) query.set('headers', JSON.stringify(headers));
  return `${base}/answer?${query}`;
}

export function redirectUrl(base: string, status: number, location?: string, count = 1): string {
  const query = new URLSearchParams({ status: String(status), count: String(count) });
  if (location !== undefined) query.set('location', location);
  return `${base}/redirect?${query}`;
}
