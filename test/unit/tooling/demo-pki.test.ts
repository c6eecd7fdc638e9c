import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ensurePki } from '../../../demo/pki.mjs';

test('the keys of the demo are for their owner alone, also in a folder that was open to others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mtls-demo-pki-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  chmodSync(folder, 0o755);
  await ensurePki(folder);
  const paths = [folder, ...readdirSync(folder).map(name => join(folder, name))];
  expect(paths.filter(path => statSync(path).mode & 0o077)).toEqual([]);
});
