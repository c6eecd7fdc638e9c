import { failedCases, fetchCases } from './index.js';
import { wptReport, wptResults } from './wpt/index.js';

declare global {
  // For what the tests run in the page.
  var cases: {
    failedCases: typeof failedCases;
    count: number;
    wptResults: typeof wptResults;
    wptReport: typeof wptReport;
  };
}

globalThis.cases = { failedCases, count: fetchCases.length, wptResults, wptReport };
