import { readAll } from '../../http/body/read-all.js';

/** What only a browser's own fetch can set on a response. */
export interface ResponseFields {
  url: string;
  redirected: boolean;
  type: ResponseType;
  status?: number;
}

interface Details {
  fields: ResponseFields;
  /** What the body has failed with, so that reads fail at once. */
  failure?: () => { reason: unknown } | undefined;
  /** Called with the response, and with each of its clones. */
  onCreated?: (response: Response) => void;
  /** Whose stream it is. Node cancels that of a cloned Response to which nothing refers any more. */
  owner?: Response;
}

/**
 * A `Response` that shows what a browser's own fetch would have set, and whose reading methods reject with the reason that
 * its stream failed with: Chromium's own replace it by "Failed to fetch".
 */
export class FetchResponse extends Response {
  #details: Details;
  #init: ResponseInit;

  constructor(body: BodyInit | null, init: ResponseInit, details: Details) {
    super(body, init);
    this.#details = details;
    this.#init = init;
    protect(this.headers);
    details.onCreated?.(this);
  }

  override get url(): string {
    return this.#details.fields.url;
  }

  override get redirected(): boolean {
    return this.#details.fields.redirected;
  }

  override get type(): ResponseType {
    return this.#details.fields.type;
  }

  override get status(): number {
    // Node's own constructor asks, before there are details.
    return (#details in this ? this.#details.fields.status : undefined) ?? super.status;
  }

  override get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  override clone(): Response {
    const owner = super.clone();
    const init = { ...this.#init, headers: this.headers };
    return new FetchResponse(owner.body, init, { ...this.#details, owner });
  }

  override bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#read(bytes => bytes);
  }

  override arrayBuffer(): Promise<ArrayBuffer> {
    return this.#read(({ buffer }) => buffer);
  }

  override text(): Promise<string> {
    return this.#read(textOf);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the type that Response has
  override json(): Promise<any> {
    return this.#read(bytes => JSON.parse(textOf(bytes)));
  }

  override blob(): Promise<Blob> {
    return this.#read(bytes => this.#whole(bytes).blob());
  }

  override formData(): Promise<FormData> {
    return this.#read(bytes => this.#whole(bytes).formData());
  }

  #read<T>(convert: (bytes: Uint8Array<ArrayBuffer>) => T | Promise<T>): Promise<T> {
    const failure = this.#details.failure?.();
    if (failure) return Promise.reject(failure.reason);
    if (this.bodyUsed || this.body?.locked)
      return Promise.reject(new TypeError('"body" must not have been read, or be read, already'));
    const bytes = this.body
      ? readAll(this.body, announcedLength(this.headers))
      : Promise.resolve(new Uint8Array(0));
    return bytes.then(convert);
  }

  #whole(bytes: Uint8Array<ArrayBuffer>): Response {
    return new Response(bytes, { headers: this.headers });
  }
}

/** Headers of a response that was fetched are immutable (Fetch standard, "headers guard"), and only the platform can make such. */
function protect(headers: Headers): void {
  Object.defineProperties(headers, immutable);
}

function refuse(): never {
  throw new TypeError('"headers" must not be changed on a fetched response: make a new Response with others');
}

const immutable = { append: { value: refuse }, delete: { value: refuse }, set: { value: refuse } };

/** Of a body that is read as it came. */
function announcedLength(headers: Headers): number {
  const length = headers.get('content-length') ?? '';
  return /^\d{1,15}$/.test(length) && !headers.has('content-encoding') ? Number(length) : 0;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
