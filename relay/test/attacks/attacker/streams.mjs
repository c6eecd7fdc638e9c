// Streams to targets that misbehave, which are the attacker's own, and pages that do not take what comes.
import { keep, pump, withAdmission } from './connections.mjs';
import { credit, data, end, frames, hello, open, pong, reset } from './messages.mjs';
import { situation } from './situation.mjs';

const STREAMS = 100;
const one = Buffer.of(1);
const streamsOf = count => Array.from({ length: count }, (_, index) => index + 1);

/** Many streams to a target on each of a few sockets; `then` goes on behind OPEN. */
function keepStreams(count, target, then = () => {}) {
  keep(
    count,
    withAdmission(socket => {
      socket.write(frames(...streamsOf(STREAMS).map(stream => open(stream, situation.targets[target]))));
      then(socket);
    }),
    200,
  );
}

/** The same, and the socket is gone after so long: its streams are not. */
const keepStreamsFor = (count, target, lifeMs) =>
  keepStreams(count, target, socket => {
    setTimeout(() => socket.destroy(), lifeMs);
  });

/** One DATA for each stream, again and again, in place of those that have ended. */
function keepReopening(count, target) {
  keep(
    count,
    withAdmission(socket => {
      let stream = 0;
      const timer = setInterval(() => {
        stream++;
        socket.write(frames(open(stream, situation.targets[target]), data(stream, one)));
      }, 10);
      socket.on('close', () => clearInterval(timer));
    }),
  );
}

export const streams = {
  'silent-targets': () => keepStreams(4, 'silent'),
  'silent-targets-and-short-lives': () => keepStreamsFor(4, 'silent', 300),
  /** Connections that are never completed. */
  'black-holes': () => keepStreams(4, 'unanswering'),
  'black-holes-and-short-lives': () => keepStreamsFor(4, 'unanswering', 300),
  'refusing-targets': () => keepStreamsFor(4, 'refusing', 300),
  /** Targets that take nothing, of which each stream's window is filled. */
  'stuck-uploads': () =>
    keepStreams(2, 'stuck', socket => {
      const chunk = Buffer.alloc(65_536);
      socket.write(
        frames(...streamsOf(STREAMS).flatMap(stream => [1, 2, 3, 4].map(() => data(stream, chunk)))),
      );
    }),
  'overrun-windows': () =>
    keepStreams(2, 'stuck', socket => pump(socket, frames(data(1, Buffer.alloc(65_536))))),
  /** Pages that read nothing of what targets send without end. */
  'unread-downloads': () => keepStreams(2, 'endless', socket => socket.pause()),
  /** Pages that read, and give no credit. */
  'downloads-without-credit': () => keepStreams(2, 'endless'),
  /** Pages that read a little at a time. */
  'slow-readers': () =>
    keepStreams(2, 'endless', socket => {
      socket.pause();
      const timer = setInterval(() => {
        socket.read(1000);
      }, 20);
      socket.on('close', () => clearInterval(timer));
    }),
  'credit-in-crumbs': () =>
    keepStreams(2, 'endless', socket => {
      const timer = setInterval(() => {
        socket.write(frames(credit(0, 100), ...streamsOf(STREAMS).map(stream => credit(stream, 1))));
      }, 10);
      socket.on('close', () => clearInterval(timer));
    }),
  /** Half-open streams, as many as an address may have, whose answers nobody reads. */
  'half-open-streams': () =>
    keep(
      8,
      withAdmission(socket => {
        socket.pause();
        for (let stream = 1; stream <= 255; stream++)
          socket.write(
            frames(open(stream, situation.targets[stream % 2 ? 'endless' : 'silent']), end(stream)),
          );
      }),
      200,
    ),
  /** Holds four fifths of the relay's memory, and asks for no more. */
  'hoarded-memory': () =>
    keep(
      2,
      withAdmission(socket => {
        const count = 52;
        const chunk = Buffer.alloc(250_000);
        const streams = streamsOf(count);
        socket.write(frames(...streams.map(stream => open(stream, situation.targets.unanswering))));
        socket.write(frames(...streams.flatMap(stream => [data(stream, chunk), data(stream, chunk)])));
      }),
      200,
    ),
  /** A page that answers PING late is taken for one far away, so that its windows grow. */
  'late-pongs': () =>
    keepStreams(2, 'stuck', socket => {
      let number = 0;
      const timer = setInterval(() => socket.write(frames(pong(++number))), 1000);
      const chunk = Buffer.alloc(65_536);
      socket.on('close', () => clearInterval(timer));
      setInterval(() => {
        for (const stream of streamsOf(8)) socket.write(frames(data(stream, chunk)));
      }, 50).unref();
    }),
  /** Targets that begin a record and never end it. */
  'half-records': () => keepStreams(4, 'halfRecords'),
  'targets-of-single-bytes': () => keepStreams(1, 'crumbs'),
  'targets-that-reset': () => keepReopening(4, 'resets'),
  'targets-that-end': () => keepReopening(4, 'ends'),
  /** What a page gives up at once, in the middle of what the target sends. */
  'downloads-given-up': () => {
    keep(
      4,
      withAdmission(socket => {
        let stream = 0;
        socket.on('data', () => {
          if (socket.writableNeedDrain) return;
          stream++;
          socket.write(frames(open(stream, situation.targets.endless), reset(stream - 1 || 1)));
        });
        socket.write(frames(open(++stream, situation.targets.endless)));
      }),
    );
  },
  'second-hellos': () => keepStreams(4, 'silent', socket => socket.write(frames(hello()))),
};
