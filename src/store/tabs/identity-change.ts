/** A change of an identity in the store, made in this tab or another one. */
export interface IdentityChange {
  /** What happened to the identity. */
  type: 'added' | 'updated' | 'deleted' | 'locked' | 'unlocked';
  /** The id of the identity in the store. */
  id: string;
}

const types = ['added', 'updated', 'deleted', 'locked', 'unlocked'] as const;
/** Ids are UUIDs; nothing larger is kept. */
const MAX_ID_LENGTH = 100;

/** A change out of a message, which any script of the origin can have sent; undefined for anything else. */
export function readChange(message: unknown): IdentityChange | undefined {
  try {
    const { type, id } = message as { type: unknown; id: unknown };
    const known = types.find(it => it === type);
    return known && typeof id === 'string' && id.length <= MAX_ID_LENGTH ? { type: known, id } : undefined;
  } catch {
    // Of null, or of an object that throws.
    return undefined;
  }
}
