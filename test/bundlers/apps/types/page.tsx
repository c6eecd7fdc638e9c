import { configure } from 'browser-mtls';
import decoders from 'browser-mtls/decoders.wasm';
import type { IdentityImport } from 'browser-mtls/elements/react';
import engine from 'browser-mtls/engine.wasm';
import mozillaRoots from 'browser-mtls/mozilla-roots.bin';
import { useRef } from 'react';

configure({ engine, decoders, mozillaRoots });

export function Page() {
  const chosen = useRef<IdentityImport>(null);
  return (
    <main>
      <identity-import
        ref={chosen}
        className="import"
        hosts="api.example.com"
        user-verification="required"
        labels={{ import: 'Öffnen' }}
        onidentity-import={({ detail }) => detail.identities.length}
      />
      <identity-picker inline remember="permanent" />
      {/* @ts-expect-error: there is no such value */}
      <identity-picker remember="sometimes" />
    </main>
  );
}
