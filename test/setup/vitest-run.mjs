// One run of Vitest for several steps, and what came out for each.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runCommand } from './command.mjs';

/**
 * Runs these steps' projects, with as many files at a time as the first one says; resolves with each step's result.
 * @param {{ id: string, projects: string[], folders: string[], workers: number, install?: string }[]} steps
 */
export async function runVitest(steps, { scratch, timeoutMs }) {
  const report = join(scratch, `${steps[0].id}.json`);
  for (const { install } of steps) {
    // Without its packages the step's files fail to load, and so count as failed.
    if (install) await runCommand(['npm', 'ci', '--prefix', install, '--ignore-scripts'], { timeoutMs });
  }
  const { ok } = await runCommand(
    [
      ...[process.execPath, 'node_modules/vitest/vitest.mjs', 'run', `--maxWorkers=${steps[0].workers}`],
      ...steps.flatMap(({ projects }) => projects).map(name => `--project=${name}`),
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
    ],
    { timeoutMs },
  );
  const files = filesOf(report);
  const results = steps.map(({ folders }) =>
    resultOf(files.filter(({ path }) => folders.some(folder => path.startsWith(`${folder}/`)))),
  );
  // An error outside of any file has no test to count.
  if (!ok && results.every(({ failed }) => failed === 0)) results[0].failed = 1;
  return results;
}

function filesOf(report) {
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8'));
    return testResults.map(file => ({ ...file, path: relative(process.cwd(), file.name) }));
  } catch {
    console.error('vitest wrote no report');
    return [];
  }
}

function resultOf(files) {
  const tests = files.flatMap(({ assertionResults }) => assertionResults);
  const count = wanted => tests.filter(({ status }) => status === wanted).length;
  const passed = count('passed');
  const failures = files.flatMap(failuresOf);
  const unrun = tests.length - passed - count('failed');
  if (unrun > 0) console.log(`${unrun} skipped`);
  const seconds = files.reduce((sum, { startTime, endTime }) => sum + (endTime - startTime) / 1000, 0);
  // No files at all are a step that did not run.
  return { passed, failed: failures.length || (files.length > 0 ? 0 : 1), failures, seconds };
}

/** Names and first lines of what failed in one file: the output above the summary is long. */
function failuresOf({ path, status, message, assertionResults }) {
  const failed = assertionResults.filter(test => test.status === 'failed');
  const lines = failed.map(({ fullName, failureMessages }) => `${path}: ${fullName}: ${failureMessages[0]}`);
  // A file that could not be loaded has no failed test.
  if (lines.length === 0 && status === 'failed') lines.push(`${path}: ${message}`);
  return lines.map(line => line.split('\n')[0]);
}
