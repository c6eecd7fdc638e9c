import type { CaseContext, FetchCase } from './case.js';

const CASE_MS = 20_000;

/** What a case says when it does not come out as it should. */
export async function failureOf({ run }: FetchCase, context: CaseContext): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it takes too long')), CASE_MS);
  });
  try {
    await Promise.race([run(context), tooLong]);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}
