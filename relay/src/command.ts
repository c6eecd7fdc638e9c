import { once } from 'node:events';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import type { RelayEvent } from './events.js';
import { parseRelayOptions, type RelayOptions } from './options.js';
import { parseResolverSettings } from './policy/resolver-settings.js';
import { createRelay, type Relay } from './relay.js';

const HELP = `Usage: browser-mtls-relay --allow <host:port> --origin <origin> [options]

Joins WebSockets of web pages with TCP connections to the targets that it allows.
It sees TLS records only: keys, certificates and contents stay between page and target.

Options
  --listen <host:port>     where to listen; port 0 takes a free one (default 127.0.0.1:8080)
  --allow <host:port>      a target that pages may connect to; repeatable (default: none)
                           localhost:8443, *.example.com:443, 10.0.0.0/8:*, [::1]:8000-8099
                           wildcards and * lead to global addresses only
  --resolver <name>        how names are looked up: dns (default), or system (getaddrinfo)
  --dns-server <address>   a DNS server to ask in place of the system's; repeatable
  --origin <origin>        an origin of pages that may connect; repeatable (default: none)
                           https://app.example.com, or * for every page
                           a client without Origin (no browser) needs a token, or *
  --token <token>          a token of which pages must send one; repeatable
                           (default: RELAY_TOKEN; other users of the machine can see arguments)
  --connect-timeout <s>    seconds for the name lookup and the TCP connection (default 10)
  --idle-timeout <s>       seconds without a byte until a connection is closed; 0 never (default 300)
  --max-connections <n>    connections at once (default 1000)
  --max-connections-per-address <n>
                           connections at once from one IP address (default 256);
                           behind a proxy all come from the proxy's address
  --quiet                  print errors only
  --help                   print this
  --version                print the version

Environment
  RELAY_TOKEN              tokens, separated by commas, when there is no --token

Exit codes
  0  stopped by SIGINT or SIGTERM
  1  could not run, for example because the port is taken
  2  wrong usage
`;

interface Command {
  options: RelayOptions;
  quiet: boolean;
}

/** Runs the command until it is stopped by a signal; resolves with the exit code. */
export async function run(args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  let command: Command | 'help' | 'version';
  try {
    command = parseCommand(args, environment);
  } catch (error) {
    printError(`${messageOf(error)}\nSee browser-mtls-relay --help`);
    return 2;
  }
  if (command === 'help') return print(HELP);
  if (command === 'version') return print(`${packageVersion()}\n`);
  return serve(command);
}

async function serve({ options, quiet }: Command): Promise<number> {
  // Listened to from the start: a signal that comes early must not find the port open and nobody to close it.
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  // A log that nobody reads any more is no reason to cut the connections.
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  let relay: Relay;
  try {
    relay = await createRelay(quiet ? { ...options, log: printErrorEvent } : { ...options, log: printEvent });
  } catch (error) {
    printError(listenMessage(error, options.listen ?? ''));
    return 1;
  }
  if (!quiet) {
    if (!options.allow?.length) printError('no --allow given: every target will be denied');
    if (!options.origins?.length) printError('no --origin given: pages will be denied');
    print(`browser-mtls-relay listens on ${relay.url}\n`);
  }
  await stopped;
  await relay.close();
  return 0;
}

function parseCommand(args: string[], environment: NodeJS.ProcessEnv): Command | 'help' | 'version' {
  const { values } = parseArgs({
    args,
    options: {
      listen: { type: 'string', default: '127.0.0.1:8080' },
      allow: { type: 'string', multiple: true, default: [] },
      resolver: { type: 'string' },
      'dns-server': { type: 'string', multiple: true, default: [] },
      origin: { type: 'string', multiple: true, default: [] },
      token: { type: 'string', multiple: true },
      'connect-timeout': { type: 'string' },
      'idle-timeout': { type: 'string' },
      'max-connections': { type: 'string' },
      'max-connections-per-address': { type: 'string' },
      quiet: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  if (values.help) return 'help';
  if (values.version) return 'version';
  const options: RelayOptions = {
    listen: values.listen,
    allow: values.allow,
    ...parseResolverSettings({ resolver: values.resolver, dnsServers: values['dns-server'] }),
    origins: values.origin,
    tokens: values.token ?? tokensOf(environment.RELAY_TOKEN),
    ...numberOption('connectTimeoutMs', values['connect-timeout'], 1000),
    ...numberOption('idleTimeoutMs', values['idle-timeout'], 1000),
    ...numberOption('maxConnections', values['max-connections'], 1),
    ...numberOption('maxConnectionsPerAddress', values['max-connections-per-address'], 1),
  };
  parseRelayOptions(options);
  return { options, quiet: values.quiet };
}

function tokensOf(variable: string | undefined): string[] {
  if (variable === undefined) return [];
  const tokens = variable.split(',').filter(token => token !== '');
  if (tokens.length === 0)
    throw new TypeError('RELAY_TOKEN is set and empty: unset it to ask for no token, or give it one');
  return tokens;
}

/** `unit` turns what the flag counts in (seconds) into what the option counts in (milliseconds). */
function numberOption(name: string, text: string | undefined, unit: number): RelayOptions {
  if (text === undefined) return {};
  return { [name]: /^\d+(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * unit) : Number.NaN };
}

function listenMessage(error: unknown, listen: string): string {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'EADDRINUSE':
      return `${listen} is taken by another program: stop that, or choose another port with --listen`;
    case 'EACCES':
      return `${listen} cannot be used without more rights: choose a port above 1023 with --listen`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${listen} is no address of this machine: choose another with --listen`;
    default:
      return `cannot listen on ${listen}: ${messageOf(error)}`;
  }
}

function printEvent(event: RelayEvent): void {
  const { type, ...fields } = event;
  const details = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  print(`${new Date().toISOString()} ${type} ${details.join(' ')}\n`);
}

function printErrorEvent(event: RelayEvent): void {
  if (event.type === 'error') printError(event.message);
}

function packageVersion(): string {
  // One folder up from the source and from the built file.
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  return version;
}

function print(text: string): 0 {
  process.stdout.write(text);
  return 0;
}

function printError(text: string): void {
  process.stderr.write(`browser-mtls-relay: ${text}\n`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
