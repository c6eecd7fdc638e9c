import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeProject, packPackage, strictConfig, type Tarball, typeErrors } from '../support/tarball.js';

// React's types are tested with the bundlers.

/** An application of each library, with its types for the elements; JSX, or for Svelte what its templates are checked by. */
const element = (events: string) => `
  export const page = (
    <main>
      <identity-import
        class="import"
        hosts="api.example.com"
        user-verification="required"
        labels={{ import: 'Öffnen' }}
        ${events}identity-import={({ detail }) => detail.identities.length}
        ${events}identity-error={({ detail }) => detail.error}
        ref={(it: IdentityImport | null) => void it?.choose}
      />
      <identity-picker inline remember="permanent" id="picker" />
      {/* @ts-expect-error: there is no such value */}
      <identity-picker remember="sometimes" />
    </main>
  );
`;
const apps = {
  preact: { source: 'preact', page: element('on') },
  solid: { source: 'solid-js', page: element('on:').replaceAll('| null', '').replace('?.', '.') },
  svelte: {
    source: '',
    page: `import type { SvelteHTMLElements } from 'svelte/elements';
export const importer: SvelteHTMLElements['identity-import'] = {
  class: 'import',
  hosts: 'api.example.com',
  'user-verification': 'required',
  labels: { import: 'Öffnen' },
  'onidentity-import': ({ detail }) => detail.identities.length,
  'onidentity-error': ({ detail }) => detail.error,
};
export const picker: SvelteHTMLElements['identity-picker'] = {
  inline: true,
  id: 'picker',
  // @ts-expect-error: there is no such value
  remember: 'sometimes',
};
`,
  },
};

let tarball: Tarball;
let project: ReturnType<typeof makeProject>;

beforeAll(() => {
  tarball = packPackage();
  const files: Record<string, string> = {};
  for (const [name, { source, page }] of Object.entries(apps)) {
    files[`${name}.tsx`] = `import type { IdentityImport } from 'browser-mtls/elements/${name}';
${page}export type Element = IdentityImport;\n`;
    const settings = { module: 'ESNext', moduleResolution: 'bundler', types: [], skipLibCheck: true };
    const jsx = source && { jsx: 'preserve', jsxImportSource: source };
    files[`${name}.json`] = strictConfig({ ...settings, ...jsx, lib: ['ES2022', 'DOM', 'DOM.Iterable'] }, [
      `${name}.tsx`,
    ]);
  }
  project = makeProject(tarball, { files, others: ['preact@10', 'solid-js@1', 'svelte@5'] });
});

afterAll(() => {
  project?.remove();
  tarball?.remove();
});

test.each(Object.keys(apps))('the types of the elements in %s', name => {
  expect(typeErrors(`${name}.json`, project.folder)).toBe('');
});
