import type { Fields } from '../../http/http-engine.js';

/** Fields that a page does not see (Fetch standard, "forbidden response-header name"). */
const hiddenFields = new Set(['set-cookie', 'set-cookie2']);

export function visible(fields: Fields): Fields {
  return fields.filter(([name]) => !hiddenFields.has(name));
}
