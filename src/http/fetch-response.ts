import { readAll } from './read-all.js';

/** What only a browser's own fetch can set on a response. */
export interface Shown {
  url: string;
  redirected: boolean;
  type: ResponseType;
  status?: number;
}

interface Details {
  shown: Shown;
  /** Called with the response, and with each of its clones. */
  onCreated?: (response: Response) => void;
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
    details.onCreated?.(this);
  }

  override get url(): string {
    return this.#details.shown.url;
  }

  override get redirected(): boolean {
    return this.#details.shown.redirected;
  }

  override get type(): ResponseType {
    return this.#details.shown.type;
  }

  override get status(): number {
    // Node's own constructor asks, before there are details.
    return (#details in this ? this.#details.shown.status : undefined) ?? super.status;
  }

  override get ok(): boolean {
    return this.status >= 200 && this.status < 300;
  }

  override clone(): Response {
    return new FetchResponse(super.clone().body, { ...this.#init, headers: this.headers }, this.#details);
  }

  override async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    if (this.bodyUsed || this.body?.locked)
      throw new TypeError('the body has been read already, or is being read');
    return this.body ? readAll(this.body) : new Uint8Array(0);
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  override async text(): Promise<string> {
    return new TextDecoder().decode(await this.bytes());
  }

  // biome-ignore lint/suspicious/noExplicitAny: the type that Response has
  override async json(): Promise<any> {
    return JSON.parse(await this.text());
  }

  override async blob(): Promise<Blob> {
    return this.#whole(await this.bytes()).blob();
  }

  override async formData(): Promise<FormData> {
    return this.#whole(await this.bytes()).formData();
  }

  #whole(bytes: Uint8Array<ArrayBuffer>): Response {
    return new Response(bytes, { headers: this.headers });
  }
}
