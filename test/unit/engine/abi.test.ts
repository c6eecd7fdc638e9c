import { expect, it } from 'vitest';
import {
  FailureKind,
  readEmission,
  readFailureKind,
  readHttpFailureKind,
  readQuestion,
} from '../../../src/engine/abi.js';
import { readCertificateFailure } from '../../../src/engine/trust.js';
import { WireReader } from '../../../src/engine/wire.js';
import { readKeys } from '../../../src/tls/ciphers/traffic-keys.js';

it.each([readEmission, readFailureKind, readHttpFailureKind, readQuestion])(
  'a number that only another version of the engine has is refused (%#)',
  read => {
    expect(read(1)).toBe(1);
    for (const number of [0, 255])
      expect(() => read(number)).toThrow(
        expect.objectContaining({
          code: 'ERR_ENGINE_FAILED',
          message: expect.stringContaining(`number ${number},`),
        }),
      );
  },
);

it('a chain is refused by a certificate failure alone', () => {
  const read = (number: number) => readCertificateFailure(new WireReader(Uint8Array.of(number)));
  expect(read(0)).toBeUndefined();
  expect(read(FailureKind.certificatePin)).toBe(FailureKind.certificatePin);
  expect(() => read(FailureKind.alert)).toThrow(expect.objectContaining({ code: 'ERR_ENGINE_FAILED' }));
});

it('keys are for a known algorithm alone', () => {
  const keys = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0);
  expect(() => readKeys(new WireReader(keys))).toThrow(
    expect.objectContaining({ code: 'ERR_ENGINE_FAILED' }),
  );
});
