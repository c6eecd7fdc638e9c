/**
 * Whether a value is an array whose members all pass a check. Holes do not pass, though `Array.prototype.every` skips them; an
 * array that is long and empty costs nothing.
 */
export function isListOf<T>(value: unknown, check: (member: unknown) => member is T): value is T[] {
  if (!Array.isArray(value)) return false;
  const members = Object.entries(value);
  return (
    members.length === value.length &&
    members.every(([key, member], index) => key === `${index}` && check(member))
  );
}

/** Values by a key that several may share, in their order. */
export function grouped<T>(all: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const key = keyOf(each);
    const group = groups.get(key);
    if (group) group.push(each);
    else groups.set(key, [each]);
  }
  return groups;
}
