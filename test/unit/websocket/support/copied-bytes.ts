import { vi } from 'vitest';

/** Counts what is copied from array to array, until mocks are restored. */
export function copiedBytes(): () => number {
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
  const { set, slice } = typedArray;
  let bytes = 0;
  vi.spyOn(typedArray, 'set').mockImplementation(function (this: Uint8Array, from, ...rest) {
    bytes += (from as Uint8Array).length;
    return set.call(this, from, ...rest);
  });
  vi.spyOn(typedArray, 'slice').mockImplementation(function (this: Uint8Array, ...range) {
    const copy = slice.apply(this, range);
    bytes += copy.length;
    return copy;
  });
  return () => bytes;
}
