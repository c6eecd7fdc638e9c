import { bodyCases } from './bodies.js';
import type { CaseContext, FetchCase } from './case.js';
import { decodingCases } from './decoding.js';
import { redirectCases } from './redirects.js';
import { requestCases } from './requests.js';
import { abortCases, responseCases } from './responses.js';

export const fetchCases: FetchCase[] = [
  ...requestCases,
  ...bodyCases,
  ...decodingCases,
  ...redirectCases,
  ...responseCases,
  ...abortCases,
];

const CASE_MS = 20_000;

/** The cases that do not come out as the standard says, with what happened instead. */
export async function failedCases(context: CaseContext): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of fetchCases) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it takes too long')), CASE_MS);
    });
    try {
      await Promise.race([run(context), tooLong]);
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      clearTimeout(timer);
    }
  }
  return failed;
}
