import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { pageWebSocket, startEcho } from '../../relay/test/support/harness.js';
import { createWebSocketTunnel } from '../../src/tunnel/websocket-tunnel.js';
import { manifestProblems, typeProblems } from '../support/package-checks.js';
import { startProgram } from '../support/process.js';
import {
  installedVersion,
  makeProject,
  namedFiles,
  packPackage,
  readManifest,
  strictConfig,
  type Tarball,
  typeErrors,
} from '../support/tarball.js';

const ORIGIN = 'https://app.example.com';

const SOURCE = `import { createRelay, type Relay, type RelayEvent, type RelayOptions } from 'browser-mtls-relay';
const log = (event: RelayEvent): void => console.log(event.type);
const options: RelayOptions = { allow: ['localhost:8443'], origins: ['${ORIGIN}'], log };
const relay: Relay = await createRelay(options);
console.log(relay.url);
await relay.close();

// @ts-expect-error: a number is not a list of targets
await createRelay({ allow: 8443 });
`;

let tarball: Tarball;
let project: ReturnType<typeof makeProject>;

beforeAll(() => {
  tarball = packPackage('relay');
  project = makeProject(tarball, {
    files: {
      'relay.ts': SOURCE,
      'bundler.json': strictConfig({ module: 'ESNext', moduleResolution: 'bundler', types: ['node'] }, [
        'relay.ts',
      ]),
      'nodenext.json': strictConfig({ module: 'NodeNext', types: ['node'] }, ['relay.ts']),
    },
    others: [`@types/node@${installedVersion('@types/node')}`],
  });
});

afterAll(() => {
  project?.remove();
  tarball?.remove();
});

describe('the tarball', () => {
  test('holds the build, the documents and nothing else', () => {
    const allowed =
      /^(dist\/[\w-]+\.(js|d\.ts)|dist\/(policy|admission|memory|session|front)(\/[\w-]+){1,2}\.d\.ts|README\.md|CHANGELOG\.md|LICENSE|package\.json)$/;
    const paths = tarball.files.map(({ path }) => path);
    expect(paths.filter(path => !allowed.test(path))).toEqual([]);
    const documents = ['README.md', 'CHANGELOG.md', 'LICENSE'];
    expect(paths).toEqual(expect.arrayContaining([...namedFiles(readManifest('relay')), ...documents]));
  });

  test('holds every declaration that its declarations import', () => {
    const folder = join(project.folder, 'node_modules/browser-mtls-relay/dist');
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const imports = names
      .filter(name => name.endsWith('.d.ts'))
      .flatMap(name =>
        Array.from(
          readFileSync(join(folder, name), 'utf8').matchAll(/from '(\.[^']+)\.js'/g),
          ([, path = '']) => join(dirname(name), path),
        ),
      );
    expect(imports.length).toBeGreaterThan(0);
    expect(imports.filter(path => !existsSync(join(folder, `${path}.d.ts`)))).toEqual([]);
  });

  test('has the licence and the version of the page package', () => {
    expect(readFileSync('relay/LICENSE', 'utf8')).toBe(readFileSync('LICENSE', 'utf8'));
    expect(readManifest('relay').version).toBe(readManifest().version);
  });

  test('is in order for publint and for @arethetypeswrong/cli', async () => {
    expect(await manifestProblems(tarball)).toEqual([]);
    expect(typeProblems(tarball)).toBe('');
  });

  test('names no path of the machine that built it', () => {
    const folder = join(project.folder, 'node_modules/browser-mtls-relay');
    const found = tarball.files.filter(({ path }) =>
      readFileSync(join(folder, path), 'utf8').includes(process.cwd()),
    );
    expect(found).toEqual([]);
  });

  test('brings jose and ws and nothing else', () => {
    const { dependencies } = JSON.parse(readFileSync('relay/package.json', 'utf8'));
    expect(Object.keys(dependencies)).toEqual(['jose', 'ws']);
  });
});

test.each(['bundler', 'nodenext'])('its types in a strict project: %s', config => {
  expect(typeErrors(`${config}.json`, project.folder)).toBe('');
});

describe('the command', () => {
  const run = (...args: string[]) =>
    spawnSync('npx', ['--no-install', 'browser-mtls-relay', ...args], {
      cwd: project.folder,
      encoding: 'utf8',
    });

  test('--help prints the flags', () => {
    const { status, stdout } = run('--help');
    expect(status).toBe(0);
    for (const text of ['--allow', '--origin', 'RELAY_TOKEN']) expect(stdout).toContain(text);
  });

  test('--version prints the version of the package', () => {
    expect(run('--version').stdout.trim()).toBe(readManifest('relay').version);
  });

  test.each([
    ['an unknown flag', ['--alow', 'a:1'], '--alow'],
    ['a target without a port', ['--allow', 'example.com'], 'host:port'],
  ])('%s is exit code 2 with a hint', (_name, args, hint) => {
    const { status, stdout, stderr } = run(...args);
    expect(status).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(hint);
  });

  test('carries a tunnel', async () => {
    const echo = await startEcho();
    const command = join(project.folder, 'node_modules/.bin/browser-mtls-relay');
    const relay = startProgram(command, [
      ...['--listen', '127.0.0.1:0', '--allow', `127.0.0.1:${echo.port}`, '--origin', ORIGIN],
    ]);
    onTestFinished(async () => {
      await relay.stop();
    });
    const [url] = await relay.waitFor(/ws:\/\/\S+/);
    const tunnel = createWebSocketTunnel(url, { WebSocket: pageWebSocket(ORIGIN) });
    const { readable, writable } = await tunnel.connect({ hostname: '127.0.0.1', port: echo.port });
    const sent = randomBytes(200_000);
    const writer = writable.getWriter();
    const [received] = await Promise.all([
      new Response(readable).arrayBuffer(),
      writer.write(sent).then(() => writer.close()),
    ]);
    expect(sent.equals(Buffer.from(received))).toBe(true);
  });
});

test('a Node program starts a relay of its own', () => {
  const code = `import { createRelay } from 'browser-mtls-relay';
    const relay = await createRelay({ allow: [] });
    console.log(relay.url);
    await relay.close();`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    cwd: project.folder,
    encoding: 'utf8',
  });
  expect(stdout).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/\n$/);
});
