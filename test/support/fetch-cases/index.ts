import { bodyCases } from './bodies.js';
import type { CaseContext, FetchCase } from './case.js';
import { decodingCases } from './decoding.js';
import { keptBodyCases } from './kept-bodies.js';
import { redirectCases } from './redirects.js';
import { requestCases } from './requests.js';
import { abortCases, responseCases } from './responses.js';
import { failureOf } from './run.js';

export const fetchCases: FetchCase[] = [
  ...requestCases,
  ...bodyCases,
  ...keptBodyCases,
  ...decodingCases,
  ...redirectCases,
  ...responseCases,
  ...abortCases,
];

/** The cases that do not come out as the standard says, with what happened instead. */
export async function failedCases(context: CaseContext): Promise<string[]> {
  const failed: string[] = [];
  for (const fetchCase of fetchCases) {
    const failure = await failureOf(fetchCase, context);
    if (failure !== undefined) failed.push(`${fetchCase.name}: ${failure}`);
  }
  return failed;
}
