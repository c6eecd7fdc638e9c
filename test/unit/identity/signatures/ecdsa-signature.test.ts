import { describe, expect, it } from 'vitest';
import { ecdsaFromDer, ecdsaToDer } from '../../../../src/identity/signatures/ecdsa-signature.js';

describe('ECDSA signatures', () => {
  it('have minimal, positive integers', () => {
    const raw = Uint8Array.from([0, 0, 1, 0x80, 0, 0, 0, 0]);
    const der = ecdsaToDer(raw);
    expect([...der]).toEqual([0x30, 7, 2, 2, 1, 0x80, 2, 1, 0]);
    expect(ecdsaFromDer(der, 4)).toEqual(raw);
    const high = Uint8Array.from([0x80, 1, 0x7f, 1]);
    expect([...ecdsaToDer(high)]).toEqual([0x30, 9, 2, 3, 0, 0x80, 1, 2, 2, 0x7f, 1]);
    expect(ecdsaFromDer(ecdsaToDer(high), 2)).toEqual(high);
  });

  it('have a long length for P-521', () => {
    const raw = new Uint8Array(132).fill(0xff);
    const der = ecdsaToDer(raw);
    expect([...der.subarray(0, 3)]).toEqual([0x30, 0x81, 138]);
    expect(ecdsaFromDer(der, 66)).toEqual(raw);
  });

  it('are not read from anything else', () => {
    const der = ecdsaToDer(Uint8Array.from([1, 2, 3, 4]));
    for (let length = 0; length < der.length; length++)
      expect(ecdsaFromDer(der.subarray(0, length), 2)).toBeUndefined();
    expect(ecdsaFromDer(Uint8Array.from([...der, 0]), 2)).toBeUndefined();
    expect(ecdsaFromDer(der, 1)).toBeUndefined();
  });
});
