// Messages of the tunnel: what a page that is admitted may say, and what it may not.
import { keep, pump, withAdmission, withWebSocket } from './connections.mjs';
import {
  credit,
  data,
  end,
  frame,
  frames,
  hello,
  open,
  ping,
  pong,
  raw,
  repeated,
  reset,
} from './messages.mjs';
import { situation } from './situation.mjs';

const one = Buffer.of(1);

/** A stream to an echo, and then the same messages for ever. */
const flood = (...messages) =>
  keep(
    4,
    withAdmission(socket => {
      socket.write(frames(open(1, situation.targets.echo)));
      pump(socket, repeated(frames(...messages), 2000));
    }),
  );

/** Messages that end the WebSocket, behind each other's. */
function keepViolating(violations) {
  let turn = 0;
  keep(
    32,
    withAdmission(socket => {
      socket.write(frames(open(7, situation.targets.echo), ...violations()[turn++ % violations().length]));
    }),
  );
}

/** OPEN upon OPEN; `behind` gives what follows each. */
function keepOpening(count, { port, hostname = () => '127.0.0.1', behind = () => [] }) {
  keep(
    count,
    withAdmission(socket => {
      let stream = 0;
      const next = () => {
        stream++;
        return frames(open(stream, port(), hostname(stream)), ...behind(stream));
      };
      pump(socket, () => Buffer.concat(Array.from({ length: 50 }, next)));
    }),
  );
}

/** Spellings of this machine. */
const spellings = () => [
  ...['127.0.0.1', 'localhost', '::1', '::ffff:127.0.0.1', '0.0.0.0', '::', '127.1', '0x7f.1', '2130706433'],
  ...[
    '0177.0.0.1',
    '127.0.0.1.',
    'LOCALHOST.',
    'a.localhost',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '::127.0.0.1',
  ],
  ...['169.254.169.254', 'rebind.test', 'metadata.test', 'mapped.test', '[::1]', '127.0.0.1:80', '::1%lo'],
  ...situation.ownAddresses,
];

export const tunnel = {
  guesses: () =>
    keep(
      64,
      withWebSocket(socket =>
        socket.write(frames(hello('a-guess-of-tokens'), open(1, situation.targets.echo))),
      ),
    ),
  /** Tokens of all lengths, and what stands behind them before they are judged. */
  'early-data': () =>
    keep(
      32,
      withWebSocket(socket => {
        const streams = Array.from({ length: 8 }, (_, index) => [
          open(index + 1, situation.forbidden),
          data(index + 1, Buffer.alloc(8192)),
        ]);
        socket.write(frames(hello('x'.repeat(4096)), ...streams.flat()));
      }),
    ),
  'small-data': () => flood(data(1, one)),
  'empty-data': () => keepViolating(() => [[data(7, Buffer.alloc(0))]]),
  'data-after-end': () => flood(end(1), data(1, one)),
  'data-of-ended-streams': () =>
    keep(
      4,
      withAdmission(socket => {
        socket.write(frames(open(1, situation.targets.echo), reset(1)));
        pump(socket, repeated(frame(data(1, one)), 2000));
      }),
    ),
  'ends-and-resets': () =>
    keepOpening(4, { port: () => situation.targets.echo, behind: stream => [end(stream), reset(stream)] }),
  'opened-and-reset': () =>
    keepOpening(4, { port: () => situation.targets.echo, behind: stream => [reset(stream)] }),
  'opened-and-ended': () =>
    keepOpening(4, {
      port: () => situation.targets.echo,
      behind: stream => [data(stream, one), end(stream)],
    }),
  /** Beyond all limits of streams. */
  opens: () => keepOpening(4, { port: () => situation.targets.echo }),
  'refused-opens': () =>
    keepOpening(4, {
      port: () => situation.forbidden,
      hostname: stream => spellings()[stream % spellings().length],
    }),
  'long-names': () =>
    keepOpening(4, {
      port: () => situation.forbidden,
      hostname: stream =>
        [
          'a'.repeat(255),
          `${'a.'.repeat(127)}a`,
          `${'x'.repeat(64)}.test`,
          `xn--${'9'.repeat(59)}.test`,
          '.'.repeat(255),
          `${'%'.repeat(200)}.test`,
          `${':'.repeat(255)}`,
        ][stream % 7],
    }),
  /** The number of a stream that has ended, for another one. */
  'numbers-used-again': () =>
    keepViolating(() => {
      const { echo } = situation.targets;
      return [
        [reset(7), open(7, echo)],
        [end(7), reset(7), open(7, echo)],
        [open(8, echo), reset(8), end(8), credit(8, 1), data(8, one), open(8, echo)],
      ];
    }),
  'ends-of-reset-streams': () =>
    keep(
      4,
      withAdmission(socket => {
        socket.write(frames(open(1, situation.targets.echo), reset(1)));
        pump(socket, repeated(frames(end(1), reset(1)), 1000));
      }),
    ),
  credits: () => flood(credit(0, 1), credit(1, 1)),
  'credit-of-ended-streams': () =>
    keep(
      4,
      withAdmission(socket => {
        socket.write(frames(open(5, situation.targets.echo), reset(5)));
        pump(socket, repeated(frames(credit(5, 2 ** 32 - 1), credit(3, 2 ** 31)), 1000));
      }),
    ),
  'credit-beyond-bounds': () =>
    keepViolating(() => [
      [credit(0, 2 ** 32 - 1)],
      [credit(7, 2 ** 32 - 1)],
      [credit(0, 2 ** 31), credit(0, 2 ** 31)],
      [credit(7, 0)],
      [credit(0, 0)],
      [credit(8, 1)],
      [raw('credit', [7], Buffer.of(255, 255))],
    ]),
  'odd-streams': () =>
    keepViolating(() => {
      const { echo } = situation.targets;
      return [
        [open(7, echo)],
        [open(6, echo)],
        [open(0, echo)],
        [open(2 ** 32 - 1, echo), open(1, echo)],
        [open(2 ** 31, echo), data(2 ** 31 + 1, one)],
        [end(7), end(7)],
        [reset(8)],
        [data(0, one)],
      ];
    }),
  'out-of-turn': () =>
    keepViolating(() => [
      [hello()],
      [raw(2, [2 ** 20, 2 ** 20], Buffer.of(1, 0))],
      [raw(4, [7])],
      [raw('goaway', [])],
      [raw(12, [])],
      [raw(255, [1, 2, 3])],
      [Buffer.alloc(0)],
      [pong(1000)],
    ]),
  pings: () => {
    let number = 0;
    keep(
      4,
      withAdmission(socket =>
        pump(socket, () => frames(...Array.from({ length: 1000 }, () => ping(++number >>> 0)))),
      ),
    );
  },
  'old-pongs': () => flood(pong(1)),
};
