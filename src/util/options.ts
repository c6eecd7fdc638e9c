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
    throw new TypeError(path ? `"${path.slice(0, -1)}" must be an object` : '"options" must be an object');
  const unknown = Object.keys(options).find(name => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const names = Object.keys(known).sort();
  const nearest = nearestTo(unknown, names);
  const hint = nearest === undefined ? '' : `did you mean "${path}${nearest}"? `;
  throw new TypeError(`"${path}${unknown}" is not an option: ${hint}there are ${names.join(', ')}`);
}

/** The name that a misspelt one was meant to be, if one is near enough. */
function nearestTo(misspelt: string, names: readonly string[]): string | undefined {
  const near = names.map(name => ({ name, edits: editsBetween(misspelt.toLowerCase(), name.toLowerCase()) }));
  const [best] = near.sort((a, b) => a.edits - b.edits);
  return best && best.edits <= Math.max(2, best.name.length / 3) ? best.name : undefined;
}

/** How many characters are to be put in, taken out or replaced (Levenshtein). */
function editsBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (const [i, character] of Array.from(from).entries()) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const replaced = (row[j] as number) + (character === to[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
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
