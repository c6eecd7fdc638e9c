const MAX_TITLE_LENGTH = 60;

/** Names a text that stands where PEM or DER was expected, as far as it is well known. */
export function textKind(text: string): string | undefined {
  const start = text.slice(0, 16_384).trim();
  const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(start)?.[1];
  if (label) return `a PEM file (${label})`;
  if (/^<[!?a-z]/i.test(start)) return `a web page or XML${titleOf(start)}`;
  if (/^[{[]/.test(start)) return 'JSON';
  if (/^(?:HTTP\/\S+ )?[45]\d\d\b|^(?:forbidden|unauthorized|access denied|not found)\b/i.test(start))
    return "a server's error message";
  return undefined;
}

/** Servers put the status there: `403 Forbidden`. */
function titleOf(html: string): string {
  const title = /<title[^>]*>([^<]+)</i
    .exec(html)?.[1]
    ?.replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
  return title ? ` ("${title.slice(0, MAX_TITLE_LENGTH)}")` : '';
}
