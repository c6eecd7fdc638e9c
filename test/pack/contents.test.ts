import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manifestProblems, typeProblems } from '../support/package-checks.js';
import {
  makeProject,
  namedFiles,
  packPackage,
  readManifest,
  strictConfig,
  type Tarball,
  typeErrors,
} from '../support/tarball.js';

/** Uses the public names as an application does: a name or a type that is missing is an error of tsc. */
const PAGE_SOURCE = `import {
  configure, createClient, IdentityStore, MtlsError, openPkcs12,
  type Certificate, type Identity, type MtlsClient, type Pkcs12, type StoredIdentity,
} from 'browser-mtls';
import decoders from 'browser-mtls/decoders.wasm';
import { type IdentityImport, IdentityPicker } from 'browser-mtls/elements';
import engine from 'browser-mtls/engine.wasm';
import mozillaRoots from 'browser-mtls/mozilla-roots.bin';

configure({ engine, decoders, mozillaRoots });

export function elements(page: Document): IdentityImport | null {
  const picker: IdentityPicker | null = page.querySelector('identity-picker');
  void picker?.answer;
  return page.querySelector('identity-import');
}

export async function use(file: Blob): Promise<string> {
  const opened: Pkcs12 = await openPkcs12(file, { password: 'secret', maxIterations: 1_000_000 });
  const [identity]: Identity[] = opened.identities;
  if (!identity) return 'none';
  const store = await IdentityStore.open();
  const stored: StoredIdentity = await store.add(identity, { hosts: ['localhost:8443'] });
  const anchor: Certificate | undefined = identity.chain.at(-1);
  const client: MtlsClient = await createClient({
    tunnel: 'ws://localhost:8080/',
    identities: store,
    ...(anchor && { trust: { anchors: [anchor] } }),
  });
  try {
    const response: Response = await client.fetch('https://localhost:8443/');
    return (await response.text()) + stored.id;
  } catch (error) {
    if (error instanceof MtlsError) return error.code;
    throw error;
  } finally {
    await client.close();
  }
}

// @ts-expect-error: a number is no file
openPkcs12(1);
`;

const lib = ['ES2022', 'DOM', 'DOM.Iterable'];

let tarball: Tarball;
let project: ReturnType<typeof makeProject>;

beforeAll(() => {
  tarball = packPackage();
  project = makeProject(tarball, {
    files: {
      'page.ts': PAGE_SOURCE,
      'bundler.json': strictConfig({ module: 'ESNext', moduleResolution: 'bundler', lib, types: [] }, [
        'page.ts',
      ]),
      'nodenext.json': strictConfig({ module: 'NodeNext', lib, types: [] }, ['page.ts']),
    },
  });
});

afterAll(() => {
  project?.remove();
  tarball?.remove();
});

describe('the tarball', () => {
  test('holds the build, the documents and nothing else', () => {
    const surprising = tarball.files
      .map(({ path }) => path)
      .filter(
        path =>
          !/^(dist\/([\w-]+\/)*[\w.-]+\.(js|d\.ts|wasm|bin)|docs\/[\w.-]+\.md|types\/[\w.-]+\.d\.ts|[A-Z_]+(\.md)?|package\.json)$/.test(
            path,
          ),
      );
    expect(surprising).toEqual([]);
  });

  test('holds every file that the manifest names', () => {
    const paths = tarball.files.map(({ path }) => path);
    const documents = ['README.md', 'LICENSE', 'CHANGELOG.md', 'THIRD_PARTY_NOTICES.md'];
    expect(paths).toEqual(expect.arrayContaining([...namedFiles(readManifest()), ...documents]));
  });

  test('brings nothing else into node_modules', () => {
    const entries = readdirSync(join(project.folder, 'node_modules')).filter(name => !name.startsWith('.'));
    expect(entries).toEqual(['browser-mtls']);
    expect(existsSync(join(project.folder, 'node_modules/browser-mtls/node_modules'))).toBe(false);
  });

  test('is in order for publint and for @arethetypeswrong/cli', async () => {
    expect(await manifestProblems(tarball)).toEqual([]);
    expect(typeProblems(tarball)).toBe('');
  });

  test('stays small', () => {
    const bytes = tarball.files.reduce((sum, { size }) => sum + size, 0);
    expect(bytes).toBeLessThan(4 << 20);
  });

  test.each([
    ['engine.wasm', 'browser-mtls.wasm'],
    ['decoders.wasm', 'decoders.wasm'],
  ])('holds the %s that was tested', (name, built) => {
    const packed = readFileSync(join(project.folder, 'node_modules/browser-mtls/dist', name));
    expect(packed.equals(readFileSync(join('wasm', built)))).toBe(true);
  });

  test('names each asset once, in the form that bundlers recognise', () => {
    const scripts = tarball.files.filter(({ path }) => path.endsWith('.js'));
    const found = scripts.flatMap(({ path }) => {
      const text = readFileSync(join(project.folder, 'node_modules/browser-mtls', path), 'utf8');
      return text.match(/(new URL\(["'][^"']*["'], )?import\.meta(\.url)?/g) ?? [];
    });
    expect(found.sort()).toEqual([
      'new URL("../decoders.wasm", import.meta.url',
      'new URL("../engine.wasm", import.meta.url',
      'new URL("../mozilla-roots.bin", import.meta.url',
    ]);
  });

  test('loads with a name in few files, and few levels of them', () => {
    const importsOf = (file: string) => {
      const text = readFileSync(join(project.folder, 'node_modules/browser-mtls', file), 'utf8');
      return Array.from(text.matchAll(/^import .*?["'](\..*)["'];$/gm), ([, path = '']) =>
        join(dirname(file), path),
      );
    };
    const levels: string[][] = [['dist/index.js']];
    for (const level of levels) {
      const next = new Set(level.flatMap(importsOf));
      for (const known of levels.flat()) next.delete(known);
      if (next.size > 0) levels.push([...next]);
    }
    expect(levels.map(files => files.length)).toEqual([1, 4]);
    // Each part is one request more, with what it needs.
    const loaded = new Set(levels.flat());
    expect(importsOf('dist/chunks/client.js').filter(file => !loaded.has(file))).toEqual([]);
    // The documented lines for the head of a page.
    const lines = readFileSync('docs/embedding.md', 'utf8').matchAll(
      /^<link .*href="\/browser-mtls\/(.*)"/gm,
    );
    const preloaded = ['dist/engine.wasm', 'dist/chunks/client.js', ...loaded];
    expect(Array.from(lines, ([, file]) => file).sort()).toEqual(preloaded.sort());
  });

  test('names no path of the machine that built it', () => {
    const marks = [process.cwd(), '.cargo/registry'];
    const found = tarball.files.filter(({ path }) => {
      const content = readFileSync(join(project.folder, 'node_modules/browser-mtls', path));
      return marks.some(mark => content.includes(mark));
    });
    expect(found).toEqual([]);
  });
});

describe('types in a strict project', () => {
  test.each(['bundler', 'nodenext'])('%s', config => {
    expect(typeErrors(`${config}.json`, project.folder)).toBe('');
  });
});

describe('Node', () => {
  const node = (code: string) =>
    execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      cwd: project.folder,
      encoding: 'utf8',
    });

  test('imports the package and its elements on a server', () => {
    const code = `await import('browser-mtls/elements'); console.log(Object.keys(await import('browser-mtls')).includes('configure'))`;
    expect(node(code)).toBe('true\n');
  });

  test('finds engine.wasm by its export', () => {
    const code = `console.log(import.meta.resolve('browser-mtls/engine.wasm'))`;
    expect(node(code)).toMatch(/browser-mtls\/dist\/engine\.wasm\n$/);
  });

  test('finds decoders.wasm by its export', () => {
    const code = `console.log(import.meta.resolve('browser-mtls/decoders.wasm'))`;
    expect(node(code)).toMatch(/browser-mtls\/dist\/decoders\.wasm\n$/);
  });

  test('finds mozilla-roots.bin by its export', () => {
    const code = `console.log(import.meta.resolve('browser-mtls/mozilla-roots.bin'))`;
    expect(node(code)).toMatch(/browser-mtls\/dist\/mozilla-roots\.bin\n$/);
  });
});
