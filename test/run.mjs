#!/usr/bin/env node
// `npm test`: everything, on a fresh machine too. See `--help`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runCommand, stopAll } from './setup/command.mjs';
import { prepareMachine } from './setup/machine.mjs';
import { rebuildEngine, restoreEngine } from './setup/rebuilt-engine.mjs';
import { findCargo, useInstalledToolchain } from './setup/rust.mjs';
import { runVitest } from './setup/vitest-run.mjs';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** The whole run; a step that hangs takes at most what is left of it. */
const RUN_TIMEOUT_MS = 55 * 60_000;
const STEP_TIMEOUT_MS = 40 * 60_000;
/** How long ChaCha20-Poly1305 is compared with ring's on random inputs: natively, and in WebAssembly. */
const FUZZ_SECONDS = '15';
const startedAt = Date.now();
const scratch = mkdtempSync(join(tmpdir(), 'browser-mtls-test-'));

const bin = name => [process.execPath, join(ROOT, 'node_modules', name)];
const cargo = (...args) => [findCargo(), ...args, '--manifest-path', 'wasm/Cargo.toml'];

/** Rust waits for one core at its ends: each crate is optimised as a whole, and linked. */
const RUST = { together: 'rust' };

/** `needs` names what must be on the machine (test/setup/machine.mjs); steps of the same `together` run at once. */
const STEPS = [
  step('lint', 'Format, lint, import direction', [], () => [...bin('@biomejs/biome/bin/biome'), 'ci', '.']),
  step('types', 'Types', [], () => [...bin('typescript/bin/tsc'), '-p', 'tsconfig.json']),
  step('cycles', 'No import cycles in the Rust code', [], () => [process.execPath, 'tools/rust-cycles.mjs']),
  step('rustfmt', 'Format of the Rust code', ['rust'], () => [...cargo('fmt', '--all'), '--check']),
  step('deny', 'Licences and sources of the crates', ['rust', 'deny'], () => [
    ...['cargo-deny', '--manifest-path', 'wasm/Cargo.toml', '--locked', 'check'],
    ...['licenses', 'bans', 'sources'],
  ]),
  step('hash', 'The committed .wasm belongs to the sources', [], () => [
    process.execPath,
    'wasm/source-hash.mjs',
    '--check',
  ]),
  {
    ...RUST,
    ...step('clippy', 'Lint of the Rust code', ['rust'], () => [
      ...cargo('clippy', '--all-targets', '--locked'),
      ...['--', '-D', 'warnings'],
    ]),
  },
  {
    ...RUST,
    id: 'rust',
    title: 'Native tests of the engine',
    needs: ['rust'],
    run: rustTests(() => [...cargo('test', '--locked'), '-p', 'mtls-engine', '-p', 'mtls-chacha20poly1305']),
  },
  {
    ...RUST,
    id: 'switch',
    title: "The engine's records with ring's ChaCha20-Poly1305",
    needs: ['rust'],
    run: rustTests(() => [
      ...cargo('test', '--locked'),
      ...['-p', 'mtls-engine', '--features', 'ring-chacha20-poly1305', '--lib', 'tls::record'],
    ]),
  },
  {
    ...RUST,
    id: 'wasm',
    title: 'Build the .wasm from source; what follows runs on it',
    needs: ['rust', 'wasm'],
    run: async heldAs => verdict(await rebuildEngine({ scratch, timeoutMs: timeLeft(), heldAs })),
  },
  {
    ...RUST,
    id: 'cipher',
    title: 'Tests of ChaCha20-Poly1305 in WebAssembly',
    needs: ['rust', 'wasm'],
    run: rustTests(() => ['wasm/build.sh', '--test']),
  },
  vitestStep('unit', 'Unit tests', ['openssl', 'zstd'], {
    folders: ['test/unit', 'relay/test'],
    // On two cores: some files wait more than they work.
    workers: 3,
  }),
  step('build', 'Build both packages', [], () => ['npm', 'run', 'build']),
  step('size', 'Size budget', [], () => [process.execPath, 'tools/size.mjs']),
  step('notices', 'Licences of what ships', ['rust'], () => [
    process.execPath,
    'tools/notices.mjs',
    '--check',
  ]),
  vitestStep(
    'interop',
    'Interop: real servers',
    ['openssl', 'zstd', 'nginx', 'servers', 'go', 'websockets'],
    { after: ['build'] },
  ),
  vitestStep(
    'libraries',
    'Client libraries and gRPC',
    ['openssl', 'go', 'etcd', 'chromium', 'firefox', 'webkit'],
    {
      after: ['build'],
      install: 'test/libraries',
    },
  ),
  vitestStep('pack', 'The packed tarballs in other projects', ['openssl', 'zstd', 'nginx', 'chromium'], {
    after: ['build'],
  }),
  vitestStep('docs', 'The documentation as a site, in Chromium', ['openssl', 'zstd', 'chromium'], {
    after: ['build'],
  }),
  vitestStep('bundlers', 'Applications built by each bundler', ['openssl', 'zstd', 'chromium'], {
    after: ['build'],
  }),
  vitestStep(
    'browser',
    'Chromium, Firefox and WebKitGTK: pages, and the demo',
    ['openssl', 'zstd', 'nginx', 'servers', 'chromium', 'firefox', 'webkit', 'producers', 'go'],
    { after: ['build'], projects: ['browser', 'browser-timed'] },
  ),
];

const HELP = `Usage: npm test [-- options]

Installs what is missing (as root, with apt and rustup), then runs every step and counts.

  --only a,b    these steps alone: ${STEPS.map(({ id }) => id).join(', ')}
  --skip a,b    all but these
  --no-setup    install nothing
  --help        this text
`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    skip: { type: 'string' },
    'no-setup': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
} else {
  process.chdir(ROOT);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupted);
  process.exitCode = await main(chosenSteps());
}

async function main(steps) {
  const dirtyBefore = dirtyFiles();
  let passed = 0;
  let failed = 0;
  const summary = [];
  const count = (title, result) => {
    passed += result.passed;
    failed += result.failed;
    summary.push(
      `${result.failed ? 'FAILED' : 'ok    '} ${title}: ${result.passed} passed, ${result.failed} failed (${result.seconds.toFixed(0)} s)`,
      ...(result.failures ?? []).map(failure => `         ${failure}`),
    );
  };
  try {
    if (values['no-setup']) {
      useInstalledToolchain();
    } else {
      heading('Set-up');
      const needs = new Set(steps.flatMap(it => it.needs));
      const run = async () => verdict(await prepareMachine(needs, { timeoutMs: timeLeft() }));
      count('Set-up', await timed({ run }));
    }
    for (const group of groupsOf(steps)) {
      heading(group.map(({ title }) => title).join('; '));
      const results = group[0].projects
        ? await runVitest(group, { scratch, timeoutMs: timeLeft() })
        : await Promise.all(group.map(it => timed(it, group.length > 1 ? it.title : undefined)));
      for (const [index, { title }] of group.entries()) count(title, results[index]);
    }
  } finally {
    restoreEngine();
    rmSync(scratch, { recursive: true, force: true });
  }
  heading('Nothing left behind in the tree');
  const left = dirtyFiles().filter(line => !dirtyBefore.includes(line));
  for (const line of left) console.error(line);
  count('Clean tree', await timed({ run: async () => verdict(left.length === 0) }));

  heading('Summary');
  for (const line of summary) console.log(line);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

function chosenSteps() {
  const list = text => (text ?? '').split(',').filter(name => name !== '');
  const only = list(values.only);
  const skip = list(values.skip);
  for (const name of [...only, ...skip]) {
    if (!STEPS.some(({ id }) => id === name)) {
      console.error(`npm test: there is no step ${name}\n\n${HELP}`);
      process.exit(2);
    }
  }
  const wanted = new Set(only);
  for (const { id, after = [] } of STEPS) if (wanted.has(id)) for (const name of after) wanted.add(name);
  return STEPS.filter(({ id }) => (only.length === 0 || wanted.has(id)) && !skip.includes(id));
}

/** A step that is one command; it counts as one test. */
function step(id, title, needs, command) {
  return { id, title, needs, run: async heldAs => verdict((await execute(command(), { heldAs })).ok) };
}

/**
 * Tests by Vitest. `projects`: those of vite.config.ts; `workers`: test files at once; `install`: a folder with packages of its own.
 */
function vitestStep(id, title, needs, options = {}) {
  const { after = [], projects = [id], folders = [`test/${id}`], workers = 2, install } = options;
  // One run, so that no worker waits for the end of a step.
  const together = after.includes('build') ? 'on the build' : undefined;
  return { id, title, needs, after, together, projects, folders, workers, install };
}

/** The steps by what runs at once, each group in the place of its first one. */
function groupsOf(steps) {
  const groups = new Map();
  for (const it of steps) {
    const name = it.together ?? it.id;
    groups.set(name, [...(groups.get(name) ?? []), it]);
  }
  return [...groups.values()];
}

/** Tests by cargo, counted one by one. */
function rustTests(command) {
  return async heldAs => {
    const env = { FUZZ_SECONDS: process.env.FUZZ_SECONDS ?? FUZZ_SECONDS };
    const { ok, output } = await execute(command(), { capture: true, heldAs, env });
    let passed = 0;
    let failed = 0;
    for (const match of output.matchAll(/^test result: \S+ (\d+) passed; (\d+) failed/gm)) {
      passed += Number(match[1]);
      failed += Number(match[2]);
    }
    return { passed, failed: failed || (ok ? 0 : 1) };
  };
}

async function execute(command, options = {}) {
  return runCommand(command, { ...options, timeoutMs: timeLeft() });
}

async function timed({ run }, heldAs) {
  const since = Date.now();
  const result = await run(heldAs).catch(error => {
    console.error(error instanceof Error ? error.message : error);
    return verdict(false);
  });
  return { ...result, seconds: (Date.now() - since) / 1000 };
}

function verdict(ok) {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1 };
}

function timeLeft() {
  return Math.max(1000, Math.min(STEP_TIMEOUT_MS, startedAt + RUN_TIMEOUT_MS - Date.now()));
}

function heading(title) {
  console.log(`\n=== ${title}`);
}

/** What git sees as changed or new; nothing where there is no git. */
function dirtyFiles() {
  const { status, stdout } = spawnSync('git', ['status', '--porcelain'], { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n').filter(line => line !== '') : [];
}

function interrupted() {
  stopAll();
  restoreEngine();
  rmSync(scratch, { recursive: true, force: true });
  process.exit(130);
}
