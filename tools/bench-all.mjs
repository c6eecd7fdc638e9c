#!/usr/bin/env node
// `npm run bench`: all benchmarks, one after the other. `--check` runs those with bounds alone, and fails where a ratio is above its own.
import { spawnSync } from 'node:child_process';

const args = process.argv.slice(2);
const bounded = ['bench', 'bench-browser'];
const scripts = args.includes('--check')
  ? bounded
  : ['bench', 'bench-relay', 'bench-browser', 'bench-distance'];
for (const script of scripts) {
  const { status } = spawnSync(process.execPath, [`tools/${script}.mjs`, ...args], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
