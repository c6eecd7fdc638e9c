#!/usr/bin/env node
// `npm start`: the demo with every part of it on this machine. See `--help`.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer as createViteServer } from 'vite';
import { startAuthority } from './authority.mjs';
import { ensurePki } from './pki.mjs';
import { createRelayRecord } from './relay-record.mjs';
import { startServers } from './server.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const HOST = '127.0.0.1';
const STOP_TIMEOUT_MS = 3000;
const PARENT_CHECK_MS = 500;

const PORTS = {
  page: { flag: 'port', env: 'DEMO_PORT', preferred: 5173 },
  relay: { flag: 'relay-port', env: 'DEMO_RELAY_PORT', preferred: 8080 },
  server: { flag: 'server-port', env: 'DEMO_SERVER_PORT', preferred: 8443 },
  authority: { flag: 'authority-port', env: 'DEMO_AUTHORITY_PORT', preferred: 9443 },
};

const HELP = `Usage: npm start -- [options]

Starts the browser-mtls demo on ${HOST}: servers that insist on a client certificate, the relay, and the page.
Certificates and .p12 files are made in demo/.pki when there are none or when they are about to expire.

  --port N          port of the page       (default ${PORTS.page.preferred}, or ${PORTS.page.env})
  --relay-port N    port of the relay      (default ${PORTS.relay.preferred}, or ${PORTS.relay.env})
  --server-port N   port of the first of the five servers; the others follow
                                           (default ${PORTS.server.preferred}, or ${PORTS.server.env})
  --authority-port N   port of the certificate authority
                                           (default ${PORTS.authority.preferred}, or ${PORTS.authority.env})
  --step-ca         build step-ca with Go, when there is none on the PATH, and enrol there; otherwise the demo has
                    a stand-in that answers the same requests
  --help            this text

A default port that is taken is replaced by the next free one; a port that you name is used or is an error.
Ctrl-C stops everything.
`;

/** Something that the user can put right: told as one line, without a stack. */
class UserError extends Error {}

const closers = [];
let stopping = false;
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
if (process.env.npm_lifecycle_event) stopWithParent();

try {
  await start();
} catch (error) {
  console.error(`npm start: ${messageOf(error)}`);
  process.exitCode = 1;
  await stop();
}

async function start() {
  const settings = readSettings();
  if (!settings) return;
  const { ports, buildStepCa } = settings;

  const pki = await ensurePki(join(HERE, '.pki'));
  let wanted = ports.server;
  const servers = await startServers(pki, async server => {
    const port = await freePort(wanted);
    wanted = { ...wanted, port: port + 1 };
    server.listen(port, HOST);
    await once(server, 'listening');
    return port;
  });
  closers.push(servers.close);

  const authority = await startAuthority({ pki, port: await freePort(ports.authority), build: buildStepCa });
  closers.push(authority.close);

  const config = {
    relay: undefined,
    authority: { kind: authority.kind, url: authority.url },
    targets: servers.targets,
    anchors: [pki.caPem],
    samples: [],
    password: pki.password,
  };
  const record = createRelayRecord();
  const pagePort = await freePort(ports.page);
  const vite = await createViteServer({
    configFile: join(HERE, 'vite.config.ts'),
    logLevel: 'warn',
    clearScreen: false,
    server: { host: HOST, port: pagePort, strictPort: true },
    plugins: [demoFiles({ config, record, samples: pki.samples, makeToken: authority.makeToken })],
  });
  closers.push(() => vite.close());

  const origins = [`http://${HOST}:${pagePort}`, `http://localhost:${pagePort}`];
  config.relay = await startRelay(vite, {
    listen: `${HOST}:${await freePort(ports.relay)}`,
    allow: [...servers.targets, new URL(authority.url)].map(({ hostname, port }) => `${hostname}:${port}`),
    origins,
    tokens: [randomBytes(16).toString('base64url')],
    observeBytes: record.observe,
  });
  await vite.listen();
  if (!stopping) console.log(summary({ page: origins[1], config, pki }));
}

/** From the sources, by vite: after a fresh `npm ci` nothing is built yet. */
async function startRelay(vite, options) {
  const { createRelay } = await vite.ssrLoadModule(join(HERE, '../relay/src/index.ts'));
  const relay = await createRelay(options);
  closers.push(() => relay.close());
  return { url: relay.url, token: options.tokens[0] };
}

/** What the page fetches beside its own files: where everything is, the sample .p12 files, what the relay saw. */
function demoFiles({ config, record, samples, makeToken }) {
  config.samples = samples.map(({ file, title, about }) => ({ url: `samples/${file}`, file, title, about }));
  const answers = new Map(samples.map(({ file, bytes }) => [`/samples/${file}`, () => bytes]));
  answers.set('/demo-config.json', () => JSON.stringify(config));
  answers.set('/demo-relay.json', query =>
    JSON.stringify(record.report({ since: Number(query.get('since') ?? 0), text: query.get('text') })),
  );
  // In the place of a backend, which would know who is signed in.
  answers.set('/demo-token.json', query =>
    JSON.stringify({ token: makeToken(query.get('subject') ?? '', query.getAll('name')) }),
  );
  return {
    name: 'demo-files',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
        const answer = answers.get(pathname);
        if (!answer) return next();
        const type = pathname.endsWith('.json') ? 'application/json' : 'application/x-pkcs12';
        response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' });
        response.end(answer(searchParams));
      });
    },
  };
}

function readSettings() {
  const options = { help: { type: 'boolean', short: 'h' }, 'step-ca': { type: 'boolean', default: false } };
  for (const { flag } of Object.values(PORTS)) options[flag] = { type: 'string' };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new UserError(`${messageOf(error)} (--help tells the options)`);
  }
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const read = ({ flag, env, preferred }) => {
    const text = values[flag] ?? process.env[env];
    if (text === undefined || text === '') return { flag, port: preferred, fixed: false };
    const port = Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new UserError(`${values[flag] === undefined ? env : `--${flag}`} must be a port from 1 to 65535`);
    }
    return { flag, port, fixed: true };
  };
  const ports = Object.fromEntries(Object.entries(PORTS).map(([name, port]) => [name, read(port)]));
  return { ports, buildStepCa: values['step-ca'] };
}

/** The wanted port when it is free. Otherwise the next free one, said aloud, or an error when the user named the port. */
async function freePort(wanted) {
  const first = wanted.port;
  for (let port = first; port < Math.min(first + 100, 65536); port++) {
    const problem = await tryPort(port);
    if (!problem) {
      if (port !== first)
        console.log(`Port ${first} is taken; using ${port} (--${wanted.flag} chooses another).`);
      return port;
    }
    if (wanted.fixed || problem !== 'EADDRINUSE') {
      const why = problem === 'EADDRINUSE' ? 'is taken' : `cannot be used (${problem})`;
      throw new UserError(`port ${port} ${why}; choose another with --${wanted.flag}`);
    }
  }
  throw new UserError(`no free port from ${first} on; choose another with --${wanted.flag}`);
}

async function tryPort(port) {
  const probe = createTcpServer();
  try {
    probe.listen(port, HOST);
    await once(probe, 'listening');
  } catch (error) {
    return error.code;
  }
  probe.close();
  await once(probe, 'close');
  return undefined;
}

function summary({ page, config, pki }) {
  const rows = [
    ['Open', `${page}/`],
    ['', ''],
    ...config.targets.map(({ hostname, port, title }, index) => [
      index === 0 ? 'Servers' : '',
      `https://${hostname}:${port}   ${title}`,
    ]),
    [
      'Authority',
      `${config.authority.url}   ${config.authority.kind === 'step-ca' ? 'step-ca' : 'a stand-in; --step-ca takes the real one'}`,
    ],
    ['Relay', config.relay.url],
    ['', ''],
    ...pki.samples.map(({ file, title, about }, index) => [
      index === 0 ? 'Client files' : '',
      `${relative(process.cwd(), join(pki.directory, file)).padEnd(32)} ${title} (${about})`,
    ]),
    ['Password', pki.password],
    ['Valid until', pki.notAfter.toISOString().slice(0, 10) + (pki.made ? '   made just now' : '')],
  ];
  const lines = rows.map(([name, value]) => (name || value ? `  ${name.padEnd(14)}${value}` : ''));
  return ['', 'browser-mtls demo', '', ...lines, '', 'Ctrl-C stops it.', ''].join('\n');
}

/** A signal sent to npm alone ends npm and the shell between, and never gets here: what is seen is a new parent. */
function stopWithParent() {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && stop(), PARENT_CHECK_MS).unref();
}

async function stop() {
  if (stopping) return;
  stopping = true;
  // What does not close in time does not keep the terminal.
  setTimeout(() => process.exit(), STOP_TIMEOUT_MS).unref();
  await Promise.allSettled(closers.reverse().map(close => close()));
  process.exit();
}

function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
