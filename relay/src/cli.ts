#!/usr/bin/env node
import { run } from './command.js';

/** Time for whoever reads the log to take what is left of it. */
const LAST_LINES_MS = 1000;

process.exitCode = await run(process.argv.slice(2), process.env);
await Promise.race([
  Promise.all([process.stdout, process.stderr].map(written)),
  new Promise(resolve => setTimeout(resolve, LAST_LINES_MS)),
]);
// Node 20 has been seen to spin for ever when it tidies up after sockets that were cut while they sent; an explicit exit leaves that out.
process.exit();

function written(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    if (stream.writableLength === 0) resolve();
    else stream.once('drain', resolve).once('error', () => resolve());
  });
}
