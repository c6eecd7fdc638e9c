import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from './openssl-pki.js';
import { startProgram } from './process.js';

export interface OpensslServerOptions {
  server: KeyPair;
  tls: 'TLSv1.2' | 'TLSv1.3';
  clientCa: string;
  /**
   * `www` answers every request with a page about the connection; `reverse` gives lines back reversed; `console` prints what it
   * receives and sends what it is told to, or obeys: `r`, `R`, `c`, `k`, `K` at the beginning of what it reads are commands. Default `www`.
   */
  mode?: 'www' | 'reverse' | 'console';
  /** Whether it asks for a client certificate. Default true. */
  askClient?: boolean;
  /** Whether it insists on a client certificate. Default true. */
  requireClient?: boolean;
  /** More flags, such as `-cipher`. */
  args?: string[];
}

export interface OpensslServer {
  port: number;
  log(): string;
  /** Resolves with the match as soon as the log has one. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  /** In the mode `console`: what to send, or a command, which has to be said alone. */
  say(text: string): void;
  /** With the signal (default SIGTERM). */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const modes = { www: ['-www'], reverse: ['-rev'], console: [] } as const;

/** `openssl s_server`, which ends the handshake with an alert when the client certificate is not good. */
export async function startOpensslServer(options: OpensslServerOptions): Promise<OpensslServer> {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-s_server-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const certificate = file('server.pem', options.server.cert);
  const args = [
    's_server',
    ...['-accept', '127.0.0.1:0', options.tls === 'TLSv1.3' ? '-tls1_3' : '-tls1_2'],
    ...['-cert', certificate, '-cert_chain', certificate, '-key', file('server.key', options.server.key)],
    ...['-CAfile', file('ca.pem', options.clientCa), '-verify_return_error'],
    ...(options.askClient === false ? [] : [options.requireClient === false ? '-verify' : '-Verify', '3']),
    ...modes[options.mode ?? 'www'],
    ...(options.args ?? []),
  ];
  const program = startProgram('openssl', args, { stdin: options.mode === 'console' });
  const stop = async (signal?: NodeJS.Signals) => {
    await program.stop(signal);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [, port] = await program.waitFor(/^ACCEPT \S*:(\d+)/m);
    const { output: log, waitFor, say } = program;
    return { port: Number(port), log, waitFor, say, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
