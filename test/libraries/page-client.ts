import { createClient, type MtlsClient, openPkcs12 } from 'browser-mtls';
import type { PageTask } from './page-script.js';

/** The client of a page under test. */
export async function clientOfPage(task: PageTask): Promise<MtlsClient> {
  const bytes = Uint8Array.from(atob(task.file), it => it.charCodeAt(0));
  const { identities } = await openPkcs12(new Blob([bytes]), { password: task.password });
  return createClient({ tunnel: task.tunnel, identities, trust: { anchors: [task.anchor] } });
}
