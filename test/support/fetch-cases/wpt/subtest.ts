import type { CaseContext, FetchCase } from '../case.js';

/** One subtest of web-platform-tests' fetch/api, done again in our own words. */
export interface Subtest extends FetchCase {
  /** What does not come out as the subtest says (how the failure's message begins), and why. */
  differs?: Difference;
  /** What there must be; without it the subtest is not run. */
  needs?: Need;
}

export interface Difference {
  shows: string;
  reason: string;
}

/** What a subtest may need of the place where it runs. */
const places = {
  /** The page is of the server's origin. */
  'own origin': ({ origin }: CaseContext) => globalThis.location?.origin === origin,
  /** There is a page, with an address. */
  page: () => globalThis.location !== undefined,
  /** The server does not run in the same process. */
  browser: () => globalThis.document !== undefined,
  h2: ({ protocol }: CaseContext) => protocol === 'h2',
  'http/1.1': ({ protocol }: CaseContext) => protocol === 'http/1.1',
};

export type Need = keyof typeof places;

export interface WptFile {
  /** Its path below fetch/api. */
  file: string;
  subtests: Subtest[];
  /** Why the rest of its subtests is not here. */
  without?: string;
}

export function subtest(
  name: string,
  run: Subtest['run'],
  options: { differs?: Difference | undefined; needs?: Need } = {},
): Subtest {
  const { differs, needs } = options;
  return { name, run, ...(differs && { differs }), ...(needs && { needs }) };
}

export function has(need: Need, context: CaseContext): boolean {
  return places[need](context);
}

/** A method that is none of the usual ones. Node's server knows only some over HTTP/1.1. */
export function unusualMethod({ protocol }: CaseContext): string {
  return protocol === 'h2' ? 'TacO' : 'PROPFIND';
}

/** A new key of the server's. */
export function newKey(): string {
  return crypto.randomUUID();
}
