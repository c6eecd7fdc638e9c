import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LIBRARY_DOCUMENTS, typeErrorsOf } from '../../support/documented-types.js';

it('every example of the documents has the right types', () => {
  const documents = ['README.md', 'relay/README.md', ...readdirSync('docs').map(name => `docs/${name}`)];
  const own = documents.filter(it => !LIBRARY_DOCUMENTS.includes(it));
  const { count, errors } = typeErrorsOf(own, 'test/.tmp', {
    extends: '../../../tsconfig.json',
    compilerOptions: { strictNullChecks: true },
    include: ['*.ts'],
  });
  expect(errors).toBe('');
  expect(count).toBeGreaterThan(15);
}, 60_000);
