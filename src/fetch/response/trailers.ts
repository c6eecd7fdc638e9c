import type { Fields } from '../../http/http-engine.js';
import { visible } from './visible-fields.js';

const known = new WeakMap<Response, Promise<Fields>>();

export function rememberTrailers(response: Response, trailers: Promise<Fields>): void {
  known.set(response, trailers);
}

/** The trailers of a response of `client.fetch`. @throws TypeError for any other response, by the promise */
export async function trailersOf(response: Response): Promise<Headers> {
  const trailers = known.get(response);
  if (!trailers) throw new TypeError('"response" must be a Response of client.fetch');
  return new Headers(visible(await trailers));
}
