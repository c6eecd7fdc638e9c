/** The longest time that a timer counts, in milliseconds: 2^31 - 1, about 24.8 days. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** All options of a type, by name: the compiler refuses a list that is incomplete. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>;

/**
 * Refuses options that do not exist: a misspelt one would otherwise be ignored.
 *
 * @param path what stands before each name in messages, e.g. `pool.`
 * @throws TypeError
 */
export function checkOptionNames(options: object, known: object, path = ''): void {
  if (options === null || typeof options !== 'object')
    throw new TypeError(path ? `"${path.slice(0, -1)}" must be an object` : 'options must be an object');
  const unknown = Object.keys(options).find(name => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).sort().join(', ');
  throw new TypeError(`"${path}${unknown}" is not an option: there are ${names}`);
}

export interface IntegerRange {
  min: number;
  max: number;
  /** A value outside of the range that is taken as well. */
  or?: number | undefined;
}

/** @throws TypeError unless the value is an integer in the range */
export function checkedInteger(name: string, value: unknown, { min, max, or }: IntegerRange): number {
  const isInteger = typeof value === 'number' && Number.isInteger(value);
  if (isInteger && (value === or || (value >= min && value <= max))) return value;
  const also = or === undefined ? '' : `${or} or `;
  throw new TypeError(`"${name}" must be ${also}an integer from ${min} to ${max}`);
}
