import { once } from 'node:events';
import { createRequire } from 'node:module';
import { type Command, HELP, parseCommand } from './command-line.js';
import type { RelayEvent } from './events.js';
import { LogOutput } from './output.js';
import { createRelay, type Relay } from './relay.js';

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
  const errors = new LogOutput(process.stderr);
  const output = new LogOutput(process.stdout, error =>
    errors.write(`browser-mtls-relay: the log ends here, because it cannot be written: ${error.message}\n`),
  );
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
