import type { Server } from 'node:tls';
import type { TunnelStream } from '../../src/index.js';
import {
  type AttackedSuite,
  type Protection,
  type RecordContent,
  ServerRecords12,
  ServerRecords13,
  suites,
} from './server-records.js';

const CHANGE_CIPHER_SPEC = 20;
const HANDSHAKE = 22;
const DATA = 23;

/** What goes out in the server's name; `records` seals as the server would. */
export type Attack<Records extends Protection = Protection> = (records: Records) => Uint8Array[];

interface AttackOptions<Records extends Protection> {
  suite: AttackedSuite;
  attack: Attack<Records>;
  /** Which of the server's own words the attack comes behind. Default: its first data. */
  cue?: (content: RecordContent) => boolean;
  /** Whether the attack takes the cue's place. Default: false. */
  replacesCue?: boolean;
}

/** The secrets that a server has logged, by label. To be made before it has connections. */
export function secretsOf(server: Server): Map<string, Buffer> {
  const secrets = new Map<string, Buffer>();
  server.on('keylog', line => {
    const [label = '', , value = ''] = line.toString().trim().split(' ');
    secrets.set(label, Buffer.from(value, 'hex'));
  });
  return secrets;
}

/** A tunnel to a server that, once, says what `attack` makes. All is sealed anew, as the server would. */
export function attacked<Records extends Protection>(
  stream: TunnelStream,
  secrets: Map<string, Buffer>,
  options: AttackOptions<Records>,
): TunnelStream {
  const reader = stream.readable.getReader();
  const rewrite = suites[options.suite].version === 'TLSv1.3' ? rewriter13 : rewriter12;
  const rewritten = rewrite(secrets, options as unknown as AttackOptions<Protection>);
  let incoming = Buffer.alloc(0);
  const readable = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        incoming = Buffer.concat([incoming, value]);
        const records: Buffer[] = [];
        while (incoming.length >= 5 && incoming.length >= 5 + incoming.readUInt16BE(3)) {
          const end = 5 + incoming.readUInt16BE(3);
          records.push(...rewritten(incoming.subarray(0, end)));
          incoming = incoming.subarray(end);
        }
        controller.enqueue(Buffer.concat(records));
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
  return { readable, writable: clientSide(stream.writable, secrets) };
}

/** The client's side as it is; its first record tells its random. */
function clientSide(
  writable: WritableStream<Uint8Array>,
  secrets: Map<string, Buffer>,
): WritableStream<Uint8Array> {
  const writer = writable.getWriter();
  return new WritableStream({
    async write(chunk) {
      if (!secrets.has('client random')) secrets.set('client random', Buffer.from(chunk.slice(11, 43)));
      await writer.write(chunk);
    },
    close: () => writer.close(),
    abort: reason => writer.abort(reason),
  });
}

type Rewrite = (
  secrets: Map<string, Buffer>,
  options: AttackOptions<Protection>,
) => (record: Buffer) => Buffer[];

/** Before the secret of the application's records fits, nothing is the attacker's. */
const rewriter13: Rewrite = (secrets, { suite, attack, cue = isData, replacesCue }) => {
  let [opening, sealing]: (ServerRecords13 | undefined)[] = [];
  let attacking = true;
  return record => {
    if (record[0] !== DATA) return [record];
    const secret = secrets.get('SERVER_TRAFFIC_SECRET_0') ?? Buffer.alloc(0);
    opening ??= new ServerRecords13(suites[suite], secret);
    sealing ??= new ServerRecords13(suites[suite], secret);
    const content = opening.open(record);
    if (!content) return [record];
    const isCue = attacking && cue(content);
    if (isCue) attacking = false;
    const own = isCue && replacesCue ? [] : [sealing.seal(content.type, content.content)];
    return isCue ? [...own, ...attack(sealing).map(it => Buffer.from(it))] : own;
  };
};

const rewriter12: Rewrite = (secrets, { suite, attack, cue = isData, replacesCue }) => {
  let serverRandom: Buffer = Buffer.alloc(0);
  let [opening, sealing]: (ServerRecords12 | undefined)[] = [];
  let attacking = true;
  return record => {
    if (!opening || !sealing) {
      if (record[0] === HANDSHAKE && serverRandom.length === 0) serverRandom = record.subarray(11, 43);
      if (record[0] === CHANGE_CIPHER_SPEC) {
        const master = secrets.get('CLIENT_RANDOM') ?? Buffer.alloc(0);
        const randoms = Buffer.concat([serverRandom, secrets.get('client random') ?? Buffer.alloc(0)]);
        opening = new ServerRecords12(suites[suite], { master, randoms });
        sealing = new ServerRecords12(suites[suite], { master, randoms });
      }
      return [record];
    }
    const content = opening.open(record);
    if (!content) throw new Error('these are not the keys');
    const isCue = attacking && cue(content);
    if (isCue) attacking = false;
    const own = isCue && replacesCue ? [] : [sealing.seal(content.type, content.content)];
    return isCue ? [...own, ...attack(sealing).map(it => Buffer.from(it))] : own;
  };
};

function isData({ type }: RecordContent): boolean {
  return type === DATA;
}
