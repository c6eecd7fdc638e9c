import { type ClientOptions, createClient, type MtlsClient } from '../../../../src/index.js';
import { engineModule } from '../../../support/engine.js';
import { tcpTunnel } from '../../../support/tcp-tunnel.js';

/** The clients of a test file, straight to ports of this machine. */
export class Clients {
  #open: MtlsClient[] = [];

  /** One that trusts the authority alone, unless the options say otherwise. */
  async make(ca: string, options: Partial<ClientOptions>): Promise<MtlsClient> {
    const client = await createClient({
      tunnel: tcpTunnel,
      trust: { anchors: [ca] },
      engine: engineModule(),
      ...options,
    });
    this.#open.push(client);
    return client;
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.splice(0).map(client => client.close()));
  }
}
