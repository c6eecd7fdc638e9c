import { createClient, enroll, IdentityStore, renew, stepCa } from 'browser-mtls';

/** What the page knows. The backend decides who may have a certificate, and makes the token. */
export interface Setting {
  relay: string;
  authority: string;
  rootPem: string;
  rootFingerprint: string;
  getToken(): Promise<string>;
}

/** Once: a key pair, and its certificate. */
export async function enrolHere({ relay, authority, rootPem, rootFingerprint, getToken }: Setting) {
  const client = await createClient({ tunnel: relay, trust: { anchors: [rootPem] } });
  const store = await IdentityStore.open();
  try {
    const ca = stepCa({ url: authority, fetch: client.fetch, rootFingerprint, getToken });
    return await enroll(
      {
        subject: 'CN=ada@example.com',
        subjectAltNames: ['email:ada@example.com'],
        store,
        // The authority itself is among the hosts, for renewals.
        controls: { hosts: ['api.example.com', new URL(authority).hostname] },
      },
      ca,
    );
  } finally {
    store.close();
    await client.close();
  }
}

/** After two thirds of its time: another certificate for the same key. */
export async function renewWhenDue(
  { relay, authority, rootPem, rootFingerprint }: Setting,
  now = Date.now(),
) {
  const store = await IdentityStore.open();
  try {
    for (const identity of await store.find({ issuer: 'CN=Test CA,O=Test' })) {
      const { notBefore, notAfter } = identity.certificate;
      const due = notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3;
      if (now < due) continue;
      const client = await createClient({
        tunnel: relay,
        identities: [identity],
        trust: { anchors: [rootPem] },
      });
      const ca = stepCa({ url: authority, fetch: client.fetch, rootFingerprint });
      await renew(identity, ca, { store }).finally(() => client.close());
    }
  } finally {
    store.close();
  }
}
