import type { CaseContext } from '../case.js';
import { failureOf } from '../run.js';
import { abortFiles } from './abort.js';
import { basicRequestFiles } from './basic-requests.js';
import { basicResponseFiles } from './basic-responses.js';
import { basicSchemeFiles } from './basic-schemes.js';
import { basicUploadFiles } from './basic-uploads.js';
import { bodyFiles } from './body.js';
import { credentialsFiles } from './credentials.js';
import { headerFiles } from './headers.js';
import { redirectFiles } from './redirect.js';
import { referrerFiles } from './referrers.js';
import { requestFiles } from './request.js';
import { responseFiles } from './response.js';
import { type Difference, has, type Subtest, type WptFile } from './subtest.js';

export const wptFiles: WptFile[] = [
  ...basicRequestFiles,
  ...basicUploadFiles,
  ...basicResponseFiles,
  ...basicSchemeFiles,
  ...bodyFiles,
  ...headerFiles,
  ...redirectFiles,
  ...referrerFiles,
  ...abortFiles,
  ...responseFiles,
  ...requestFiles,
  ...credentialsFiles,
];

export interface WptResults {
  areas: Record<string, { passed: number; run: number }>;
  /** Subtests that come out otherwise on purpose: how many by file and reason. */
  differences: { file: string; reason: string; count: number }[];
  /** What is not as it is written down here: a failure without a reason, or a difference that is none. */
  surprises: string[];
  /** Subtests whose page or server are not at hand. */
  notRun: number;
}

export async function wptResults(context: CaseContext): Promise<WptResults> {
  const results: WptResults = { areas: {}, differences: [], surprises: [], notRun: 0 };
  for (const { file, subtests } of wptFiles) {
    for (const subtest of subtests) {
      if (subtest.needs && !has(subtest.needs, context)) results.notRun++;
      else note(results, file, subtest, await failureOf(subtest, context));
    }
  }
  return results;
}

function note(
  results: WptResults,
  file: string,
  { name, differs }: Subtest,
  failure: string | undefined,
): void {
  const area = file.replace(/\/.*/, '');
  const counted = results.areas[area] ?? { passed: 0, run: 0 };
  results.areas[area] = counted;
  counted.run++;
  if (failure === undefined) counted.passed++;
  if (failure === undefined ? differs : !differs || !failure.startsWith(differs.shows)) {
    results.surprises.push(`${file}: ${name}: ${failure ?? 'it passes, and should differ'}`);
  } else if (differs) {
    addDifference(results, file, differs);
  }
}

function addDifference({ differences }: WptResults, file: string, { reason }: Difference): void {
  const found = differences.find(it => it.file === file && it.reason === reason);
  if (found) found.count++;
  else differences.push({ file, reason, count: 1 });
}

/** The lines to print, for each area and for all. */
export function wptReport({ areas, differences, surprises, notRun }: WptResults, where: string): string {
  const all = Object.values(areas);
  const sum = (key: 'passed' | 'run') => all.reduce((total, area) => total + area[key], 0);
  const line = (name: string, passed: number, run: number) =>
    `web-platform-tests ${name} cases: ${passed} of ${run} pass (${where})`;
  const differing = differences.reduce((total, { count }) => total + count, 0);
  const rest = `${differing} differ for these reasons, ${surprises.length} for none; ${notRun} need another page or server`;
  return [
    ...Object.entries(areas).map(([name, { passed, run }]) => line(`fetch/api/${name}`, passed, run)),
    ...differences.map(({ file, reason, count }) => `  differs: ${count} of ${file}: ${reason}`),
    `${line('fetch/api', sum('passed'), sum('run'))}; ${rest}`,
  ].join('\n');
}
