import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RunningProgram } from '../process.js';
import type { RunningServers, Setting } from './types.js';

/** The files of a server's set-up. */
export class ServerFolder {
  readonly path: string;

  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), `mtls-${name}-`));
  }

  /** Gives the file's path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  }

  /** The files of a setting's certificates, PEM. */
  credentials(setting: Setting, index: number): { cert: string; key: string; ca: string } {
    return {
      cert: this.write(`${index}.crt`, setting.server.cert),
      key: this.write(`${index}.key`, setting.server.key),
      ca: this.write(`${index}.ca`, setting.clientCa),
    };
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = await freePort();
    if (!ports.includes(port)) ports.push(port);
  }
  return ports;
}

/** A program as servers, once it listens; its folder goes with it. */
export async function served(
  program: RunningProgram,
  ports: number[],
  folder: ServerFolder,
): Promise<RunningServers> {
  const stop = async () => {
    await program.stop();
    folder.remove();
  };
  try {
    await program.listensOn(ports);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ports, stop };
}
