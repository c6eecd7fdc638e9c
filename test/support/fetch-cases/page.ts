import { failedCases, fetchCases } from './index.js';

declare global {
  // For what the tests run in the page.
  var cases: { failedCases: typeof failedCases; count: number };
}

globalThis.cases = { failedCases, count: fetchCases.length };
