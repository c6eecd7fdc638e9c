import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

// The rules for imports live in biome.json: these files show that the linter refuses what it should, and nothing else.

const CASES: [place: string, specifier: string, verdict: 'allowed' | 'refused'][] = [
  ['tls', '../engine/instance.js', 'allowed'],
  ['tls', '../tunnel/tunnel.js', 'allowed'],
  ['tls', '../errors.js', 'allowed'],
  ['tls', './records.js', 'allowed'],
  ['tls', '../identity/types.js', 'refused'],
  ['tls', '../http/pool.js', 'refused'],
  ['tls/deeper', '../../identity/types.js', 'refused'],
  ['http', '../tls/connection.js', 'allowed'],
  ['http', '../../relay/src/index.js', 'refused'],
  ['http', '../websocket/frames.js', 'refused'],
  ['http', '../fetch/response.js', 'refused'],
  ['fetch', '../http/pool.js', 'allowed'],
  ['fetch', '../tls/failure.js', 'refused'],
  ['websocket', '../http/upgrade.js', 'allowed'],
  ['websocket', '../client/dial.js', 'refused'],
  ['websocket', '../fetch/fetch.js', 'refused'],
  ['engine', '../errors.js', 'allowed'],
  ['engine', '../util/bytes.js', 'allowed'],
  ['util', '../platform.js', 'allowed'],
  ['util', '../engine/wire.js', 'refused'],
  ['engine', '../tls/connection.js', 'refused'],
  ['tunnel', '../engine/abi.js', 'refused'],
  ['tunnel', 'ws', 'refused'],
  ['tunnel/socket', '../wire/frames.js', 'allowed'],
  ['tunnel/socket', '../../engine/abi.js', 'refused'],
  ['identity', '../engine/instance.js', 'allowed'],
  ['identity', '../tls/connection.js', 'refused'],
  ['trust', '../identity/types.js', 'allowed'],
  ['trust', '../tls/connection.js', 'refused'],
  ['p12', '../identity/types.js', 'allowed'],
  ['p12', 'pkijs', 'allowed'],
  ['p12', 'asn1js', 'allowed'],
  ['p12', '../store/store.js', 'refused'],
  ['identity', 'pkijs', 'refused'],
  ['store', 'idb', 'allowed'],
  ['store', '../identity/types.js', 'allowed'],
  ['store', '../p12/open.js', 'refused'],
  ['enroll', '../store/identity-store.js', 'allowed'],
  ['enroll', '../p12/open-pkcs12.js', 'allowed'],
  ['enroll', 'asn1js', 'allowed'],
  ['enroll', '../p12/import.js', 'refused'],
  ['enroll', '../client/create-client.js', 'refused'],
  ['enroll', 'pkijs', 'refused'],
  ['enroll', 'idb', 'refused'],
  ['client', '../../relay/src/index.js', 'refused'],
  ['client', '../authentication/authentication.js', 'allowed'],
  ['client', '../elements/index.js', 'refused'],
  ['connect', '../client/mtls-client.js', 'allowed'],
  ['connect', '../fetch/fetch.js', 'refused'],
  ['connect', '@connectrpc/connect', 'refused'],
  ['elements', '../authentication/challenge.js', 'allowed'],
  ['elements', '../client/create-client.js', 'refused'],
  ['http', 'tough-cookie', 'allowed'],
  ['fetch', 'tough-cookie', 'refused'],
  ['p12', '@noble/hashes/scrypt.js', 'allowed'],
  ['identity', '@noble/hashes/scrypt.js', 'refused'],
  ['authentication', '../identity/types.js', 'allowed'],
  ['authentication', '../client/dialer.js', 'refused'],
  ['authentication', '../engine/instance.js', 'refused'],
  ['errors.ts', './identity/types.js', 'refused'],
  ['.', './fetch/fetch.js', 'allowed'],
  ['.', 'idb', 'refused'],
  ['.', 'node:fs', 'refused'],
  ['../relay/src', 'ws', 'allowed'],
  ['../relay/src', 'node:net', 'allowed'],
  ['../relay/src', './policy/target-rule.js', 'allowed'],
  ['../relay/src', '../../src/tunnel/wire/frames.js', 'allowed'],
  ['../relay/src/session', '../memory/resources.js', 'allowed'],
  ['../relay/src', '../../src/tunnel/websocket-tunnel.js', 'refused'],
  ['../relay/src/session', '../../../src/tunnel/socket/outbox.js', 'refused'],
  ['../relay/src/session', '../../../src/errors.js', 'refused'],
  ['../relay/src', '../../src/util/bytes.js', 'allowed'],
  ['../relay/src', '../../src/errors.js', 'refused'],
  ['../relay/src', '../../src/tls/tls-connection.js', 'refused'],
  ['../relay/src', '../../src/index.js', 'refused'],
  ['../relay/src', 'browser-mtls', 'refused'],
];

/** Every way to import. */
const source = (specifier: string) => `
import { a } from '${specifier}';
import type { B } from '${specifier}';
export { c } from '${specifier}';
export const load = (): Promise<B> => import('${specifier}').then(() => a);
`;
const FORMS = 4;

test('the linter refuses imports against the direction, in every form, and no other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'import-direction-'));
  try {
    const files = CASES.map(([place, specifier], index) => [fileOf(place, index), source(specifier)]);
    const refusals = lint(folder, Object.fromEntries(files), 'lint/style/noRestrictedImports');
    const found = CASES.map(([place, specifier], index) => {
      const count = refusals.get(fileOf(place, index)) ?? 0;
      return [
        place,
        specifier,
        { 0: 'allowed', [FORMS]: 'refused' }[count] ?? `${count} of ${FORMS} refused`,
      ];
    });
    expect(found).toEqual(CASES);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);

function fileOf(place: string, index: number): string {
  return join('src', place.endsWith('.ts') ? place : `${place}/case-${index}.ts`);
}

test('the linter refuses cycles of imports, also of types alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'import-cycles-'));
  try {
    const files = {
      'src/tls/a.ts': "import type { B } from './b.js';\nexport interface A { b: B }\n",
      'src/tls/b.ts': "import type { A } from './a.js';\nexport interface B { a: A }\n",
      'src/tls/c.ts': "import type { A } from './a.js';\nexport type C = A;\n",
    };
    const refusals = lint(folder, files, 'lint/suspicious/noImportCycles');
    expect([...refusals.keys()].sort()).toEqual(['src/tls/a.ts', 'src/tls/b.ts']);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 30_000);

/** How often a rule fired, by file. */
function lint(folder: string, files: Record<string, string>, rule: string): Map<string, number> {
  const { $schema, vcs, ...config } = JSON.parse(readFileSync('biome.json', 'utf8'));
  writeFileSync(join(folder, 'biome.json'), JSON.stringify(config));
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'];
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  const refusals = new Map<string, number>();
  for (const { category, location } of JSON.parse(stdout).diagnostics) {
    if (category !== rule) continue;
    refusals.set(location.path, (refusals.get(location.path) ?? 0) + 1);
  }
  return refusals;
}
