import { createClient, evaluateTrust, openPkcs12 } from 'browser-mtls';

/** Uses all files of the package: opens a .p12, fetches with it, decodes, asks for the Mozilla roots. */
export async function tryAll({ base64, password, tunnel, anchor, origin }) {
  const file = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
  const { identities } = await openPkcs12(file, { password });
  const client = await createClient({ tunnel, identities, trust: { anchors: [anchor] } });
  const { subject } = await (await client.fetch(`${origin}/`)).json();
  const sizes = [];
  for (const coding of ['br', 'zstd']) {
    const response = await client.fetch(`${origin}/zeros?size=100000&coding=${coding}`);
    sizes.push((await response.arrayBuffer()).byteLength);
  }
  const { code } = await evaluateTrust(anchor, { anchors: 'mozilla' });
  await client.close();
  return { subject, sizes, code };
}

/** As `tryAll`; an error becomes its code and message. */
export function tried(options) {
  return tryAll(options).catch(({ code, message }) => ({ code, message }));
}
