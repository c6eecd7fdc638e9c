// Names: their DNS server is the attacker's own.
import { keep, pump, withAdmission } from './connections.mjs';
import { frames, open } from './messages.mjs';
import { situation } from './situation.mjs';

/** Lookups of distinct names, so many on each socket, which then goes away; `kind` decides what the DNS server says. */
function keepLookingUp(kind, { sockets = 4, lifeMs = 400 } = {}) {
  let number = 0;
  keep(
    sockets,
    withAdmission(socket => {
      const names = Array.from({ length: 100 }, () => `${kind}-${number++}.test`);
      socket.write(frames(...names.map((name, index) => open(index + 1, situation.forbidden, name))));
      setTimeout(() => socket.destroy(), lifeMs);
    }),
  );
}

export const names = {
  'slow-names': () => keepLookingUp('silent'),
  'slow-names-given-up-at-once': () => keepLookingUp('silent', { lifeMs: 10 }),
  'missing-names': () => keepLookingUp('missing'),
  'failing-names': () => keepLookingUp('failing'),
  'names-of-loopback': () => keepLookingUp('loopback'),
  'names-of-metadata': () => keepLookingUp('metadata'),
  /** Global once, and then loopback. */
  'rebound-names': () => {
    keep(
      4,
      withAdmission(socket => {
        let stream = 0;
        pump(socket, () => frames(open(++stream, situation.forbidden, `rebound-${stream >> 2}.test`)));
      }),
    );
  },
};
