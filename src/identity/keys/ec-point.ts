// Points of elliptic curves (SEC 1, section 2.3): WebCrypto reads them uncompressed.

/** A curve y² = x³ - 3x + b over a prime field (FIPS 186-5; SP 800-186, section 3.2.1). */
interface Curve {
  bytes: number;
  prime: bigint;
  b: bigint;
}

const curves: Record<string, Curve> = {
  'P-256': {
    bytes: 32,
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  'P-384': {
    bytes: 48,
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  'P-521': {
    bytes: 66,
    prime: 2n ** 521n - 1n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
};

const UNCOMPRESSED = 0x04;

/**
 * A point in the uncompressed form; undefined when it is none of the curve's, as far as that has to be known.
 *
 * @param namedCurve as WebCrypto calls it
 */
export function uncompressedPoint(
  point: Uint8Array,
  namedCurve: string,
): Uint8Array<ArrayBuffer> | undefined {
  const curve = curves[namedCurve];
  const [form = 0] = point;
  if (!curve) return undefined;
  if (point.length === 1 + 2 * curve.bytes && [4, 6, 7].includes(form)) {
    const plain = Uint8Array.from(point);
    // The hybrid form has the sign in it as well.
    plain[0] = UNCOMPRESSED;
    return plain;
  }
  if (point.length !== 1 + curve.bytes || (form !== 2 && form !== 3)) return undefined;
  const x = toNumber(point.subarray(1));
  const y = ordinate(x, { ...curve, odd: form === 3 });
  return y === undefined
    ? undefined
    : Uint8Array.from([UNCOMPRESSED, ...toBytes(x, curve.bytes), ...toBytes(y, curve.bytes)]);
}

function ordinate(x: bigint, { prime, b, odd }: Curve & { odd: boolean }): bigint | undefined {
  const square = ((((x * x - 3n) * x + b) % prime) + prime) % prime;
  // All three primes are 3 modulo 4.
  const root = power(square, (prime + 1n) / 4n, prime);
  if (x >= prime || (root * root) % prime !== square) return undefined;
  return (root % 2n === 1n) === odd ? root : prime - root;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let square = base, left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function toBytes(number: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((number >> BigInt(8 * (bytes - 1 - i))) & 0xffn));
}
