import { afterAll, beforeAll, expect, it } from 'vitest';
import { OpensslFiles } from '../support/openssl-files.js';
import { problemOf } from '../support/producers/check.js';
import { opensslProduces } from '../support/producers/openssl.js';

let files: OpensslFiles;
beforeAll(() => {
  files = new OpensslFiles();
}, 60_000);
afterAll(() => files.close());

it('OpenSSL', async () => {
  const produced = opensslProduces(files);
  const problems: string[] = [];
  for (const file of produced) {
    const problem = await problemOf(file);
    if (problem) problems.push(`${file.name}: ${problem}`);
  }
  console.log(`${produced.length - problems.length} of ${produced.length}`);
  expect(problems).toEqual([]);
}, 300_000);
