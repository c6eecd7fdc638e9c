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
