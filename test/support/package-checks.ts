import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import type { Tarball } from './tarball.js';

/** What publint says about the manifest and the files of a packed package, suggestions too. */
export async function manifestProblems(tarball: Tarball): Promise<string[]> {
  const { buffer } = new Uint8Array(readFileSync(tarball.path));
  const { messages, pkg = {} } = await publint({ pack: { tarball: buffer }, level: 'suggestion' });
  return messages.map(message => formatMessage(message, pkg, { color: false }) ?? message.code);
}

/** What @arethetypeswrong/cli says about the types of a packed package of ES modules; empty when it finds nothing. */
export function typeProblems(tarball: Tarball): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      'node_modules/@arethetypeswrong/cli/dist/index.js',
      ...[tarball.path, '--profile', 'esm-only', '--format', 'ascii', '--no-color'],
    ],
    { encoding: 'utf8' },
  );
  return status === 0 ? '' : stdout + stderr;
}
