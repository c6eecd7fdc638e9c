import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LIBRARY_DOCUMENTS, typeErrorsOf } from '../support/documented-types.js';

it('the examples with libraries have the right types, and so have their tests', () => {
  const { count, errors } = typeErrorsOf(LIBRARY_DOCUMENTS.filter(existsSync), 'test/libraries/.tmp', {
    extends: '../../tsconfig.json',
    include: ['*.ts', '../../*.ts', '../../grpc/**/*.ts'],
  });
  expect(errors).toBe('');
  expect(count).toBeGreaterThan(0);
});
