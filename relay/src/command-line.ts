import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { JwtOptions } from './admission/jwt/jwt.js';
import { type RelayToken, readToken } from './admission/tokens.js';
import { LIMITS, type LimitRule, limitNames, type RelayLimits } from './limits.js';
import { parseRelayOptions, type RelayOptions } from './options.js';
import { parseResolverSettings } from './policy/lookup/resolver-settings.js';

const OPTIONS = {
  listen: { type: 'string', default: '127.0.0.1:8080' },
  allow: { type: 'string', multiple: true },
  'require-tls': { type: 'boolean', default: false },
  resolver: { type: 'string' },
  'dns-server': { type: 'string', multiple: true },
  'nat64-prefix': { type: 'string', multiple: true },
  origin: { type: 'string', multiple: true },
  token: { type: 'string', multiple: true },
  'token-file': { type: 'string', multiple: true },
  'jwt-jwks': { type: 'string' },
  'jwt-stale-keys': { type: 'string' },
  'jwt-key-file': { type: 'string', multiple: true },
  'jwt-secret-file': { type: 'string' },
  'jwt-issuer': { type: 'string' },
  'jwt-audience': { type: 'string' },
  'jwt-algorithm': { type: 'string', multiple: true },
  'jwt-clock-tolerance': { type: 'string' },
  'jwt-outlive-expiry': { type: 'boolean', default: false },
  'trusted-proxy': { type: 'string', multiple: true },
  'proxy-protocol': { type: 'boolean', default: false },
  quiet: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
} as const;

const limitOptions = Object.fromEntries(
  limitNames.map(name => [LIMITS[name].flag, { type: 'string' as const }]),
);

export const HELP = `Usage: browser-mtls-relay --allow <host:port> --origin <origin> [options]

Joins WebSockets of web pages with TCP connections to the targets that it allows.
It sees TLS records only: keys, certificates and contents stay between page and target.

Options
  --listen <host:port>     where to listen; port 0 takes a free one (default 127.0.0.1:8080)
  --allow <host:port>      a target that pages may connect to; repeatable (default: none)
                           localhost:8443, *.example.com:443, 10.0.0.0/8:*, [::1]:8000-8099
                           wildcards and * lead to global addresses only
  --require-tls            pages must begin with a TLS ClientHello for the target's name
  --resolver <name>        how names are looked up: dns (default), or system (getaddrinfo)
  --dns-server <address>   a DNS server to ask in place of the system's; repeatable
  --nat64-prefix <prefix>  a NAT64 prefix of the relay's network, 2001:db8:64::/96; repeatable
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
  --jwt-issuer <iss>       ask for JSON Web Tokens (RFC 7519) of this issuer,
  --jwt-audience <aud>     for this audience, verified by the keys of one of:
  --jwt-jwks <url>           a JWK Set, https: or of this machine, fetched again after ten minutes
  --jwt-key-file <file>      public keys: PEM, JWK or JWK Set; repeatable
  --jwt-secret-file <file>   a secret for HS256 of 32 bytes or more
  --jwt-algorithm <alg>    an algorithm to accept; repeatable (default: all asymmetric ones)
  --jwt-stale-keys <s>     seconds for which the last JWK Set serves beyond its ten minutes while
                           newer ones cannot be fetched (default 3600)
  --jwt-clock-tolerance <s>  seconds by which the issuer's clock may differ (default 5)
  --jwt-outlive-expiry     WebSockets go on when their token has expired

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

export interface Command {
  options: RelayOptions;
  quiet: boolean;
}

/** @throws TypeError for wrong usage */
export function parseCommand(args: string[], environment: NodeJS.ProcessEnv): Command | 'help' | 'version' {
  const values = parseValues(args);
  if (values.help) return 'help';
  if (values.version) return 'version';
  const options: RelayOptions = {
    listen: values.listen,
    allow: values.allow ?? [],
    requireClientHello: values['require-tls'],
    ...parseResolverSettings({ resolver: values.resolver, dnsServers: values['dns-server'] ?? [] }),
    nat64Prefixes: values['nat64-prefix'] ?? [],
    origins: values.origin ?? [],
    tokens: readTokens(values.token, values['token-file'], environment.RELAY_TOKEN),
    ...readJwt(values),
    trustedProxies: values['trusted-proxy'] ?? [],
    proxyProtocol: values['proxy-protocol'],
    ...readLimits(values),
  };
  parseRelayOptions(options);
  return { options, quiet: values.quiet };
}

function readLimits(values: Record<string, unknown>): RelayLimits {
  const given = limitNames.filter(name => values[LIMITS[name].flag] !== undefined);
  return Object.fromEntries(given.map(name => [name, readLimit(name, String(values[LIMITS[name].flag]))]));
}

function readLimit(name: keyof RelayLimits, text: string): number {
  const { flag, unit, ...range }: LimitRule = LIMITS[name];
  const value = readNumber(text, unit);
  if ((unit > 1 || /^\d+$/.test(text)) && (value === range.or || (value >= range.min && value <= range.max)))
    return value;
  const kind = unit > 1 ? 'a number of seconds' : 'an integer';
  const or = range.or === undefined ? '' : `, or ${range.or}`;
  throw new TypeError(`"--${flag}" must be ${kind} from ${range.min / unit} to ${range.max / unit}${or}`);
}

/** `unit` turns what the flag counts in (seconds) into what the option counts in (milliseconds). */
function readNumber(text: string, unit: number): number {
  return /^\d+(?:\.\d+)?$/.test(text) ? Math.round(Number(text) * unit) : Number.NaN;
}

function readJwt(values: ReturnType<typeof parseValues>): { jwt?: JwtOptions } {
  const given = Object.entries(values).some(([name, value]) => name.startsWith('jwt-') && value);
  if (!given) return {};
  const keyFiles = values['jwt-key-file'];
  const secretFile = values['jwt-secret-file'];
  const algorithms = values['jwt-algorithm'];
  const tolerance = values['jwt-clock-tolerance'];
  const staleKeys = values['jwt-stale-keys'];
  const jwt: JwtOptions = {
    issuer: values['jwt-issuer'] ?? '',
    audience: values['jwt-audience'] ?? '',
    ...(values['jwt-jwks'] === undefined ? {} : { jwksUrl: values['jwt-jwks'] }),
    ...(staleKeys === undefined ? {} : { maxStaleKeysMs: readNumber(staleKeys, 1000) }),
    ...(keyFiles === undefined ? {} : { keys: keyFiles.map(file => readText('jwt-key-file', file)) }),
    ...(secretFile === undefined ? {} : { secret: readSecret(secretFile) }),
    ...(algorithms === undefined ? {} : { algorithms }),
    ...(tolerance === undefined ? {} : { clockToleranceMs: readNumber(tolerance, 1000) }),
    endAtExpiry: !values['jwt-outlive-expiry'],
  };
  return { jwt };
}

/** The file's bytes, but for the end of a line that editors add. */
function readSecret(file: string): Uint8Array {
  return Buffer.from(readText('jwt-secret-file', file, 'latin1').replace(/\r?\n$/, ''), 'latin1');
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
  const lines = readText('token-file', file).split(/\r?\n/);
  const tokens = lines.filter(line => line !== '' && !line.startsWith('#'));
  if (tokens.length === 0) throw new TypeError(`"--token-file" must hold one token a line: ${file} has none`);
  return tokens;
}

/** @throws TypeError that names the flag and the file */
function readText(flag: string, file: string, encoding: 'utf8' | 'latin1' = 'utf8'): string {
  try {
    return readFileSync(file, encoding);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new TypeError(
      `"--${flag}" must name a file that can be read, and ${JSON.stringify(file)} cannot (${code})`,
    );
  }
}

function tokensOf(variable: string | undefined): string[] {
  if (variable === undefined) return [];
  const tokens = variable.split(',').filter(token => token !== '');
  if (tokens.length === 0)
    throw new TypeError('"RELAY_TOKEN" must not be empty: unset it to ask for no token');
  return tokens;
}

function parseValues(args: string[]) {
  try {
    return parseArgs({ args, options: { ...limitOptions, ...OPTIONS } as typeof OPTIONS }).values;
  } catch (error) {
    // Node's own message repeats the argument, which may be a token that lost its flag.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') throw error;
    throw new TypeError(
      '"arguments" must be flags with their values, as in --listen 127.0.0.1:8080: one is neither',
    );
  }
}
