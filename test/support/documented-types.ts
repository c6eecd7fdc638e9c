import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf } from './documented.js';

/** Documents whose examples import libraries, which `test/libraries` alone has. */
export const LIBRARY_DOCUMENTS = ['docs/grpc.md', 'docs/libraries.md'];

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

/**
 * What tsc says of the examples of documents. They are written to a folder inside of `parent`.
 *
 * @param config of tsc: its paths are relative to that folder
 */
export function typeErrorsOf(
  documents: readonly string[],
  parent: string,
  config: object,
): { count: number; errors: string } {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'documented-'));
  try {
    let count = 0;
    for (const document of documents) {
      const examples = blocksOf(document).filter(({ language }) => language === 'ts');
      for (const [index, { text }] of examples.entries()) {
        const name = `${document.replaceAll(/\W/g, '-')}-${index}.ts`;
        writeFileSync(join(folder, name), `${text}\nexport {};\n`);
        count++;
      }
    }
    writeFileSync(join(folder, 'given.ts'), GIVEN);
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const args = ['node_modules/typescript/bin/tsc', '-p', folder, '--pretty', 'false'];
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    return { count, errors: stdout };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
