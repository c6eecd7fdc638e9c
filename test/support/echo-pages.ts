import type { Relay } from '../../relay/src/index.js';
import { type EchoServer, startEchoServer } from './echo-server.js';
import { OpensslPki } from './openssl-pki.js';
import { writePkcs12 } from './pkcs12.js';
import { builtRelay, startUserPages, type UserPages } from './user-page.js';

/** Pages that use the package, a relay that they may use, and an echo server behind it that takes clients of `pki` alone. */
export interface EchoPages {
  pki: OpensslPki;
  /** A .p12 of a client, base64; its password is `secret`. */
  file: string;
  server: EchoServer;
  relay: Relay;
  pages: UserPages;
  stop(): Promise<void>;
}

export async function startEchoPages(options?: Parameters<typeof startUserPages>[0]): Promise<EchoPages> {
  const pki = new OpensslPki('Test CA');
  const pair = pki.issue({ subject: '/CN=Ada', usage: 'clientAuth' });
  const file = Buffer.from(writePkcs12(pair, { password: 'secret' })).toString('base64');
  const server = await startEchoServer(pki);
  const pages = await startUserPages(options);
  const { createRelay } = await builtRelay();
  const relay = await createRelay({ allow: [server.host], origins: [pages.origin] });
  return {
    ...{ pki, file, server, relay, pages },
    async stop() {
      await relay.close();
      server.stop();
      await pages.stop();
      pki.close();
    },
  };
}
