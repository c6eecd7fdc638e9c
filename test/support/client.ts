import { createRelay, type Relay } from '../../relay/src/index.js';
import {
  type ChallengeHandler,
  type CookieOptions,
  createClient,
  type Identity,
  type MtlsClient,
  type OpenPkcs12Options,
  openPkcs12,
} from '../../src/index.js';
import { engineModule } from './engine.js';
import type { KeyPair } from './openssl-pki.js';
import { writePkcs12 } from './pkcs12.js';

/** The identity of a client certificate, by way of a .p12 file. */
export async function identityOf(pair: KeyPair, options: OpenPkcs12Options = {}): Promise<Identity> {
  const file = writePkcs12(pair, { password: 'secret' });
  const { identities } = await openPkcs12(file, { password: 'secret', ...options });
  const [identity] = identities;
  if (!identity) throw new Error('the file has no identity');
  return identity;
}

/** A relay to every port of this machine. */
export function startRelay(): Promise<Relay> {
  return createRelay({ allow: ['localhost:*', '127.0.0.1:*'], origins: ['*'] });
}

export interface TestClientOptions {
  relay: Pick<Relay, 'url'>;
  ca: string;
  identities?: KeyPair[];
  /** Where redirects may take the identities. Default: nowhere. */
  hosts?: string[];
  onChallenge?: ChallengeHandler;
  cookies?: CookieOptions;
}

/** A client with the identities of these certificates, which trusts this CA alone. */
export async function clientOf(options: TestClientOptions): Promise<MtlsClient> {
  const identities = await Promise.all((options.identities ?? []).map(it => identityOf(it)));
  const controls = options.hosts ? { hosts: options.hosts } : {};
  return createClient({
    tunnel: options.relay.url,
    identities: identities.map(it => ({ ...it, controls })),
    trust: { anchors: [options.ca] },
    engine: engineModule(),
    ...(options.onChallenge && { onChallenge: options.onChallenge }),
    ...(options.cookies && { cookies: options.cookies }),
  });
}

/** Answers every request for a certificate with this one, whatever its dates: by itself a client shows none that has expired. */
export async function insistOn(pair: KeyPair): Promise<ChallengeHandler> {
  const identity = await identityOf(pair);
  return async ({ method }) =>
    method === 'client-certificate'
      ? { disposition: 'use-credential', credential: { identity } }
      : { disposition: 'default' };
}

/** Runs with a client that is closed in the end. */
export async function withClient<T>(
  options: TestClientOptions,
  use: (client: MtlsClient) => Promise<T>,
): Promise<T> {
  const client = await clientOf(options);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

/** The code that a promise is rejected with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
