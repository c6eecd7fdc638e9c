// Names: their DNS server is the attacker's own.
import { keep, pump, withAdmission } from './connections.mjs';
import { frames, open } from './messages.mjs';
import { situation } from './situation.mjs';

/** Lookups of distinct names, so many on each socket, which then goes away; `kind` decides what the DNS server says. */
function keepLookingUp(kind, { sockets = 4, lifeMs = 400, port } = {}) {
  let number = 0;
  keep(
    sockets,
    withAdmission(socket => {
      const names = Array.from({ length: 100 }, () => `${kind}-${number++}.test`);
      const target = port ? situation.targets[port] : situation.forbidden;
      socket.write(frames(...names.map((name, index) => open(index + 1, target, name))));
      setTimeout(() => socket.destroy(), lifeMs);
    }),
  );
}

/** The same, of names whose DNS answers in odd ways. */
const keepAsking = (...kinds) => {
  for (const kind of kinds) keepLookingUp(kind, { sockets: 2, lifeMs: 800 });
};

export const names = {
  'slow-names': () => keepLookingUp('silent'),
  'slow-names-given-up-at-once': () => keepLookingUp('silent', { lifeMs: 10 }),
  'missing-names': () => keepLookingUp('missing'),
  'failing-names': () => keepLookingUp('failing'),
  'names-of-loopback': () => keepLookingUp('loopback'),
  'names-of-metadata': () => keepLookingUp('metadata'),
  'answers-that-are-cut': () => keepAsking('cut'),
  'answers-of-other-questions': () => keepAsking('otherid', 'otherquestion', 'noquestion', 'garbage'),
  'answers-that-lie': () => keepAsking('counts', 'loop', 'long', 'short', 'flood'),
  'chains-of-names': () => keepAsking('alias', 'selfalias'),
  'times-to-live': () => keepAsking('ageless', 'negative'),
  'mixed-addresses': () => keepAsking('mixed'),
  /** Each stream tries several addresses at once, none of which answers. */
  'names-of-black-holes': () => keepLookingUp('holes', { sockets: 4, lifeMs: 5000, port: 'unanswering' }),
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
