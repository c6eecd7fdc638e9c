import type { WholeBody } from './body-copies.js';

const FALLBACK_TYPE = 'application/octet-stream';

/**
 * A form as `multipart/form-data` (HTML standard, "multipart/form-data encoding algorithm"; RFC 7578). The platform's own
 * encoding is not used: WebKit cannot read a form with files back ("Unable to read form data blob").
 */
export function encodeForm(form: FormData): WholeBody {
  const boundary = `----form-${crypto.randomUUID()}`;
  const parts: WholeBody['parts'] = [];
  let text = '';
  for (const [name, value] of form) {
    const start = `--${boundary}\r\nContent-Disposition: form-data; name="${escaped(withCrLf(name))}"`;
    if (typeof value === 'string') {
      text += `${start}\r\n\r\n${withCrLf(value)}\r\n`;
    } else {
      const type = value.type || FALLBACK_TYPE;
      text += `${start}; filename="${escaped(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`;
      parts.push(text, value);
      text = '\r\n';
    }
  }
  parts.push(`${text}--${boundary}--\r\n`);
  return { parts, contentType: `multipart/form-data; boundary=${boundary}` };
}

function withCrLf(text: string): string {
  return text.replace(/\r\n?|\n/g, '\r\n');
}

function escaped(text: string): string {
  return text.replace(/\n/g, '%0A').replace(/\r/g, '%0D').replace(/"/g, '%22');
}
