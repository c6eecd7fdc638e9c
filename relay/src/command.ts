import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import { type RelayToken, readToken } from './admission/tokens.js';
import type { RelayEvent } from './events.js';
import { LIMITS, limitNames, type RelayLimits } from './limits.js';
import { parseRelayOptions, type RelayOptions } from './options.js';
import { LogOutput } from './output.js';
import { parseResolverSettings } from './policy/resolver-settings.js';
import { createRelay, type Relay } from './relay.js';

const OPTIONS = {
  listen: { type: 'string', default: '127.0.0.1:8080' },
  allow: { type: 'string', multiple: true },
  resolver: { type: 'string' },
  'dns-server': { type: 'string', multiple: true },
  origin: { type: 'string', multiple: true },
  token: { type: 'string', multiple: true },
  'token-file': { type: 'string', multiple: true },
  'trusted-proxy': { type: 'string', multiple: true },
  'proxy-protocol': { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
} as const;

const limitOptions = Object.fromEntries(
  limitNames.map(name => [LIMITS[name].flag, { type: 'string' as const }]),
);

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
  --quiet                  print errors only
  --help                   print this
  --version                print the version

Admission
  --token-file <file>      tokens of which pages must send one, 16 to 4,096 bytes, one a line,
                           each as token or name:token; repeatable
  --token <[name:]token>   the same on the command line, which other users of the machine can see

Behind a proxy
  --trusted-proxy <block>  a proxy whose X-Forwarded-For is believed: 10.0.0.7 or 10.0.0.0/8; repeatable
  --proxy-protocol         its connections begin with a header of the PROXY protocol, version 1 or 2

Limits (seconds and numbers)
${limitNames.map(limitHelp).join('\n')}

Environment
  RELAY_TOKEN              tokens, separated by commas, when there is no --token and no --token-file

Exit codes
  0  stopped by SIGINT or SIGTERM
  1  could not run, for example because the port is taken
  2  wrong usage
`;

function limitHelp(name: keyof RelayLimits): string {
  const { flag, unit, usual, help } = LIMITS[name];
  const byDefault = usual === undefined ? '' : ` (default ${usual / unit})`;
  return `  --${`${flag} <n>`.padEnd(36)} ${help}${byDefault}`;
}

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
  const output = new LogOutput(process.stdout);
  const errors = new LogOutput(process.stderr);
  let relay: Relay;
  try {
    relay = await createRelay({ ...options, log: quiet ? errorLog(errors) : eventLog(output, errors) });
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
  const { values } = parseArgs({ args, options: { ...limitOptions, ...OPTIONS } as typeof OPTIONS });
  if (values.help) return 'help';
  if (values.version) return 'version';
  const options: RelayOptions = {
    listen: values.listen,
    allow: values.allow ?? [],
    ...parseResolverSettings({ resolver: values.resolver, dnsServers: values['dns-server'] ?? [] }),
    origins: values.origin ?? [],
    tokens: readTokens(values.token, values['token-file'], environment.RELAY_TOKEN),
    trustedProxies: values['trusted-proxy'] ?? [],
    proxyProtocol: values['proxy-protocol'],
    ...readLimits(values),
  };
  parseRelayOptions(options);
  return { options, quiet: values.quiet };
}

function readLimits(values: Record<string, unknown>): RelayLimits {
  const given = limitNames.filter(name => values[LIMITS[name].flag] !== undefined);
  return Object.fromEntries(
    given.map(name => [name, readNumber(String(values[LIMITS[name].flag]), LIMITS[name].unit)]),
  );
}

/** `unit` turns what the flag counts in (seconds) into what the option counts in (milliseconds). */
function readNumber(text: string, unit: number): number {
  return /^\d+(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * unit) : Number.NaN;
}

function readTokens(
  flags: string[] | undefined,
  files: string[] | undefined,
  variable: string | undefined,
): (string | RelayToken)[] {
  const given =
    flags || files ? [...(flags ?? []), ...(files ?? []).flatMap(tokensOfFile)] : tokensOf(variable);
  return given.map(readToken);
}

function tokensOfFile(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/);
  const tokens = lines.filter(line => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) throw new TypeError(`${file} holds no token: write one a line`);
  return tokens;
}

function tokensOf(variable: string | undefined): string[] {
  if (variable === undefined) return [];
  const tokens = variable.split(',').filter(token => token !== '');
  if (tokens.length === 0)
    throw new TypeError('RELAY_TOKEN is set and empty: unset it to ask for no token, or give it one');
  return tokens;
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

function eventLog(output: LogOutput, errors: LogOutput): (event: RelayEvent) => void {
  return event => {
    if (event.type === 'warning') errors.write(`browser-mtls-relay: WARNING: ${event.message}\n`);
    else output.write(lineOf(event));
  };
}

function errorLog(errors: LogOutput): (event: RelayEvent) => void {
  return event => {
    if (event.type === 'error') errors.write(`browser-mtls-relay: ${event.message}\n`);
  };
}

function lineOf({ type, ...fields }: RelayEvent): string {
  const details = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${new Date().toISOString()} ${type} ${details.join(' ')}\n`;
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
