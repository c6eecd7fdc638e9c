import {
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWKSCacheInput,
  type JWTVerifyGetKey,
  jwksCache,
} from 'jose';
import { loggable } from '../../events.js';

/** Milliseconds that a JWK Set may take, and after which it is fetched again. */
const FETCH_TIMEOUT_MS = 5000;
const MAX_AGE_MS = 600_000;
/** An unknown key is a reason to fetch the set again, so often: anybody can make up a name for a key. */
const COOLDOWN_MS = 10_000;
/** After a failure, while no set may serve: anybody can make up a token. */
const RETRY_MS = 1000;
const MAX_JWKS_BYTES = 256 * 1024;

export interface RemoteKeysOptions {
  /** How long a set serves beyond its age when newer ones cannot be had. */
  maxStaleMs: number;
  report: (message: string) => void;
}

/**
 * A JWK Set that is fetched when it is needed. A fetched one replaces the one before with all of its keys; while none can be
 * fetched, the last one serves for a while.
 */
export class RemoteKeys {
  readonly #remote: ReturnType<typeof createRemoteJWKSet>;
  readonly #options: RemoteKeysOptions;
  /** `jose` notes here when it fetched the set that it has. */
  readonly #cache: { uat?: number } = {};
  #failedAt = Number.NEGATIVE_INFINITY;
  #failure: unknown;
  /** What was reported last. */
  #state: 'fetched' | 'kept' | 'none' = 'fetched';

  constructor(url: URL, options: RemoteKeysOptions) {
    this.#options = options;
    this.#remote = createRemoteJWKSet(url, {
      timeoutDuration: FETCH_TIMEOUT_MS,
      // When to fetch is decided here.
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: Number.POSITIVE_INFINITY,
      [customFetch]: fetchBounded,
      [jwksCache]: this.#cache as JWKSCacheInput,
    });
  }

  /** Rejects with `JWKSNoMatchingKey` when the newest set has no such key, and with another error when that cannot be told. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    const isNewest = await this.#refresh(MAX_AGE_MS);
    try {
      return await this.#remote(header, token);
    } catch (error) {
      if (isNewest || !(error instanceof errors.JWKSNoMatchingKey)) throw error;
      if (!(await this.#refresh(COOLDOWN_MS))) throw new Error('the key may be in a newer JWK Set');
      return this.#remote(header, token);
    }
  };

  get #ageMs(): number {
    return Date.now() - (this.#cache.uat ?? Number.NEGATIVE_INFINITY);
  }

  /** Fetches a set that is older than this; gives whether it did. @throws when there is none that may serve */
  async #refresh(maxAgeMs: number): Promise<boolean> {
    if (this.#ageMs < maxAgeMs) return false;
    const sinceFailureMs = Date.now() - this.#failedAt;
    if (this.#mayServe() && sinceFailureMs < COOLDOWN_MS) return false;
    if (sinceFailureMs < RETRY_MS) throw this.#failure;
    try {
      await this.#remote.reload();
      this.#tell('fetched');
      return true;
    } catch (error) {
      this.#failedAt = Date.now();
      this.#failure = error;
      const message = error instanceof Error ? error.message : String(error);
      this.#tell(this.#mayServe() ? 'kept' : 'none', message);
      if (!this.#mayServe()) throw error;
      return false;
    }
  }

  #mayServe(): boolean {
    return this.#ageMs < MAX_AGE_MS + this.#options.maxStaleMs;
  }

  #tell(state: 'fetched' | 'kept' | 'none', failure = ''): void {
    if (state === this.#state) return;
    this.#state = state;
    const { report, maxStaleMs } = this.#options;
    const until = new Date((this.#cache.uat ?? 0) + MAX_AGE_MS + maxStaleMs).toISOString();
    const failed = loggable(`the keys of tokens cannot be had: ${failure}`);
    if (state === 'fetched') report('the keys of tokens can be had again');
    else if (state === 'kept') report(`${failed}; the last ones serve until ${until}`);
    else report(`${failed}; JSON Web Tokens admit nobody until they can`);
  }
}

/** Reads no more than a set of keys has. */
const fetchBounded: FetchImplementation = async (url, options) => {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_JWKS_BYTES) throw new errors.JWKSInvalid(`more than ${MAX_JWKS_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), { status: response.status });
};
