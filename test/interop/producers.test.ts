import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPkcs12 } from '../../src/index.js';
import { engineModule } from '../support/engine.js';
import { OpensslFiles } from '../support/openssl-files.js';
import { problemOf } from '../support/producers/check.js';
import { producers } from '../support/producers/matrix.js';
import { outcomeOf } from '../support/producers/outcome.js';

let files: OpensslFiles;
const totals = { files: 0, right: 0 };

beforeAll(() => {
  files = new OpensslFiles();
  files.issue('other', { key: 'p256', subject: '/CN=Other' });
}, 60_000);
afterAll(() => {
  files.close();
  console.log(`In all ${totals.right} of ${totals.files} files came out right.`);
});

it.each(Object.entries(producers))(
  'every file of %s opens, or fails with the right code',
  async (name, produce) => {
    const produced = produce(files);
    const problems: string[] = [];
    for (const file of produced) {
      const { bytes, password, keyPassword, expected } = file;
      const options = { password, keyPassword, engine: engineModule() };
      const outcome = await outcomeOf(openPkcs12, bytes as BufferSource, options);
      const problem = problemOf(outcome, expected);
      if (problem) problems.push(`${file.name}: ${problem}`);
    }
    totals.files += produced.length;
    totals.right += produced.length - problems.length;
    console.log(`${name}: ${produced.length - problems.length} of ${produced.length} files came out right.`);
    expect(problems).toEqual([]);
  },
  300_000,
);
