import type { HostPort } from '../../util/host-port.js';
import type { KnownIdentities } from '../choice/known-identities.js';
import type { Basis } from './basis.js';

/** The TLS sessions of one host, by partition: a session carries the identity and the trust that it was made with. */
export class SessionPartitions {
  #target: HostPort;
  /** Sessions of an earlier generation are not resumed. */
  #generation = 0;
  #bases = new Map<string, Basis>();

  constructor(target: HostPort) {
    this.#target = target;
  }

  /** Names the partition of a connection that may show these identities. */
  nameFor({ allowed, answerKeys }: KnownIdentities): string {
    const { hostname, port } = this.#target;
    return JSON.stringify([hostname, port, allowed.map(it => it.id).sort(), answerKeys, this.#generation]);
  }

  /** The grounds on which a partition's sessions were made; undefined: the server asked for nothing. */
  basisOf(partition: string): Basis | undefined {
    return this.#bases.get(partition);
  }

  note(partition: string, basis: Basis): void {
    this.#bases.set(partition, basis);
  }

  /** No session that has been made so far is resumed any longer. */
  end(): void {
    this.#generation++;
    this.#bases.clear();
  }
}
