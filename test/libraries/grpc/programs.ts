import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { KeyPair } from '../../support/openssl-pki.js';
import { startProgram } from '../../support/process.js';
import { freePorts, ServerFolder, served } from '../../support/servers/folder.js';
import type { RunningServers } from '../../support/servers/types.js';

const SOURCE = fileURLToPath(new URL('go', import.meta.url));
/** Its modules are downloaded and compiled along on the first run. */
const BUILD_TIMEOUT_MS = 10 * 60_000;

interface Credentials {
  server: KeyPair;
  clientCa: string;
}

function filesOf(
  folder: ServerFolder,
  { server, clientCa }: Credentials,
): [cert: string, key: string, ca: string] {
  return [
    folder.write('server.crt', server.cert),
    folder.write('server.key', server.key),
    folder.write('clients.crt', clientCa),
  ];
}

/** The service `Echo` by grpc-go. */
export async function startGo(credentials: Credentials): Promise<RunningServers> {
  const folder = new ServerFolder('grpc-go');
  cpSync(SOURCE, folder.path, { recursive: true });
  await promisify(execFile)('go', ['build', '-o', 'server', '.'], {
    cwd: folder.path,
    env: { ...process.env, CGO_ENABLED: '0', GO111MODULE: 'on' },
    timeout: BUILD_TIMEOUT_MS,
  });
  const [port = 0] = await freePorts(1);
  const program = startProgram(join(folder.path, 'server'), [
    `127.0.0.1:${port}`,
    ...filesOf(folder, credentials),
  ]);
  return served(program, [port], folder);
}

/** Debian's etcd, for clients with a certificate. */
export async function startEtcd(credentials: Credentials): Promise<RunningServers> {
  const folder = new ServerFolder('etcd');
  const [cert, key, ca] = filesOf(folder, credentials);
  const [port = 0, peerPort = 0] = await freePorts(2);
  const peer = `http://127.0.0.1:${peerPort}`;
  const program = startProgram('etcd', [
    ...['--data-dir', join(folder.path, 'data'), '--logger', 'zap'],
    ...['--listen-client-urls', `https://127.0.0.1:${port}`],
    ...['--advertise-client-urls', `https://localhost:${port}`],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `default=${peer}`],
    ...['--client-cert-auth', '--trusted-ca-file', ca, '--cert-file', cert, '--key-file', key],
  ]);
  return served(program, [port], folder);
}
