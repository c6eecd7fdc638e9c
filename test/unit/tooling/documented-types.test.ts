import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { blocksOf } from '../../support/documented.js';

/** What examples that are no whole module take as given. */
const GIVEN = `import type * as Library from 'browser-mtls';
import 'browser-mtls/elements';
declare global {
  const client: Library.MtlsClient;
  const store: Library.IdentityStore;
  const identity: Library.StoredIdentity;
  const picker: HTMLElementTagNameMap['identity-picker'];
  const file: File;
  const password: string;
  const tunnel: string;
  const trust: Library.TrustOptions;
  const token: string;
  const dialog: (question: string) => Promise<string | undefined>;
  const anchors: string[];
  const leaf: Library.Certificate;
  const intermediates: Library.Certificate[];
  const certificateFor: (requestPem: string) => Promise<string>;
}
`;
const CONFIG = JSON.stringify({
  extends: '../../../tsconfig.json',
  compilerOptions: { strictNullChecks: true },
  include: ['*.ts'],
});

it('every example of the documents has the right types', () => {
  mkdirSync('test/.tmp', { recursive: true });
  const folder = mkdtempSync('test/.tmp/documented-');
  try {
    const documents = ['README.md', 'relay/README.md', ...readdirSync('docs').map(name => `docs/${name}`)];
    let count = 0;
    for (const document of documents) {
      const examples = blocksOf(document).filter(({ language }) => language === 'ts');
      for (const [index, { text }] of examples.entries()) {
        const name = `${document.replaceAll(/\W/g, '-')}-${index}.ts`;
        writeFileSync(join(folder, name), `${text}\nexport {};\n`);
        count++;
      }
    }
    expect(count).toBeGreaterThan(15);
    writeFileSync(join(folder, 'given.ts'), GIVEN);
    writeFileSync(join(folder, 'tsconfig.json'), CONFIG);
    const args = ['node_modules/typescript/bin/tsc', '-p', folder, '--pretty', 'false'];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toBe('');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
