/** Where an attack takes place; filled before it begins. */
export const situation = {
  /** The relay's. */
  port: 0,
  subprotocol: '',
  /** Good for HELLO, but for the attacks that guess. */
  token: '',
  /** Addresses of this machine to come from, in turn. */
  addresses: ['127.0.0.2'],
  /** Ports of targets on 127.0.0.1 that the relay allows, by what they do; see `targets.mjs`. */
  targets: {},
  /** The port of a target that the relay does not allow, at any address of this machine. */
  forbidden: 0,
  /** Of this machine, not loopback. */
  ownAddresses: [],
};
