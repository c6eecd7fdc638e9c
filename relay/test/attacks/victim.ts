import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { createWebSocketTunnel } from '../../../src/tunnel/websocket-tunnel.js';
import type { RunningCommand } from '../support/built-command.js';
import { connect, pageWebSocket, readAll, sleep, until } from '../support/harness.js';

/** What a relay's process holds. */
export interface Holdings {
  /** After a collection of garbage: the heap and what hangs on it, and all of the process. */
  heapBytes: number;
  residentBytes: number;
  descriptors: number;
}

/** A relay's process, seen from outside; it must have `memory-report.mjs` loaded. */
export class RelayProcess {
  readonly #command: RunningCommand;
  readonly #pid: number;

  constructor(command: RunningCommand) {
    this.#command = command;
    this.#pid = command.child.pid ?? 0;
  }

  async holdings(): Promise<Holdings> {
    const { output, child } = this.#command;
    const from = output.stderr.length;
    const report = () => /memory (\d+) (\d+)\n/.exec(output.stderr.slice(from));
    child.kill('SIGUSR2');
    await until(() => report() !== null);
    const [, heapBytes, residentBytes] = report() ?? [];
    return {
      heapBytes: Number(heapBytes),
      residentBytes: Number(residentBytes),
      descriptors: await this.descriptors(),
    };
  }

  async descriptors(): Promise<number> {
    return (await readdir(`/proc/${this.#pid}/fd`)).length;
  }

  async peakBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.#pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024;
  }

  /** Milliseconds for which its main thread has had a processor. */
  processorMs(): number {
    const line = readFileSync(`/proc/${this.#pid}/task/${this.#pid}/schedstat`, 'utf8');
    return Number(line.split(' ')[0]) / 1e6;
  }

  /** Stacks of errors, and warnings of Node's, on standard error. */
  get faults(): string[] {
    return this.#command.output.stderr.split('\n').filter(line => /^\s+at |\b[A-Z]\w+Warning:/.test(line));
  }
}

const one = Uint8Array.of(1);

/** A page of another address than the attacker's, whose target echoes. */
export class OtherPage {
  readonly #createTunnel: () => ReturnType<typeof createWebSocketTunnel>;
  readonly #port: number;
  #open: Awaited<ReturnType<typeof connect>> | undefined;

  constructor(url: string, { token, port }: { token: string; port: number }) {
    this.#createTunnel = () => createWebSocketTunnel(url, { token, WebSocket: pageWebSocket() });
    this.#port = port;
  }

  /** Opens the stream that stays open, and has the relay's code compiled. */
  async warmUp(): Promise<void> {
    this.#open = await connect(this.#createTunnel(), this.#port);
    for (let count = 0; count < 20; count++) await this.newMs();
  }

  /** A round trip on the stream that is open, in milliseconds. */
  async openMs(): Promise<number> {
    if (!this.#open) throw new Error('not warmed up');
    const startedAt = performance.now();
    await this.#open.writer.write(one);
    await this.#open.reader.read();
    return performance.now() - startedAt;
  }

  /** A new WebSocket, a stream on it, and a round trip: admission is what many attacks are about. */
  async newMs(): Promise<number> {
    const startedAt = performance.now();
    const tunnel = this.#createTunnel();
    const { reader, writer } = await connect(tunnel, this.#port);
    await writer.write(one);
    expect((await reader.read()).value).toEqual(one);
    await writer.close();
    await readAll(reader);
    tunnel.close();
    return performance.now() - startedAt;
  }

  /** Both, again and again. `processorMs` reads the relay's: on a busy machine it tells more than time does. */
  async measure(durationMs: number, processorMs: () => number) {
    const trips = { openMs: [] as number[], newMs: [] as number[], processorMs: [] as number[] };
    const [startedAt, processorBefore] = [performance.now(), processorMs()];
    const endsAt = Date.now() + durationMs;
    while (Date.now() < endsAt) {
      const before = processorMs();
      trips.openMs.push(await this.openMs());
      const between = processorMs();
      trips.newMs.push(await this.newMs());
      trips.processorMs.push(between - before, processorMs() - between);
      await sleep(5);
    }
    const busy = (processorMs() - processorBefore) / (performance.now() - startedAt);
    return { ...trips, busy };
  }
}
