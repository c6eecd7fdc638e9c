import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
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
const settings = { module: 'ESNext', moduleResolution: 'bundler', types: [], skipLibCheck: true };
const lib = ['ES2022', 'DOM', 'DOM.Iterable'];
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

/** A Vue application. Its templates are checked strictly: unknown elements, attributes and events are errors. */
const VUE_APP = `<script setup lang="ts">
import type { IdentityImport } from 'browser-mtls/elements/vue';
import type { IdentityStore } from 'browser-mtls';
import { ref } from 'vue';
defineProps<{ store: IdentityStore }>();
const importer = ref<IdentityImport | null>(null);
const chooseEmpty = () => importer.value?.choose(new Blob());
const report = (error: unknown) => console.error(error);
const count = (it: object[]) => it.length;
</script>

<template>
  <identity-import
    ref="importer"
    class="import"
    hosts="api.example.com"
    user-verification="required"
    :store="store"
    :labels="{ import: 'Öffnen' }"
    @identity-import="({ detail }) => count(detail.identities)"
    @identity-error="({ detail }) => report(detail.error)"
    @click="chooseEmpty"
  />
  <identity-picker inline remember="permanent" id="picker" />
  <!-- @vue-expect-error: there is no such value -->
  <identity-picker remember="sometimes" />
  <!-- @vue-expect-error: there is no such detail -->
  <identity-import @identity-import="({ detail }) => count(detail.error)" />
</template>
`;

let tarball: Tarball;
let project: ReturnType<typeof makeProject>;

beforeAll(() => {
  tarball = packPackage();
  const files: Record<string, string> = {};
  for (const [name, { source, page }] of Object.entries(apps)) {
    files[`${name}.tsx`] = `import type { IdentityImport } from 'browser-mtls/elements/${name}';
${page}export type Element = IdentityImport;\n`;
    const jsx = source && { jsx: 'preserve', jsxImportSource: source };
    files[`${name}.json`] = strictConfig({ ...settings, ...jsx, lib }, [`${name}.tsx`]);
  }
  files['vue.vue'] = VUE_APP;
  files['vue.json'] = JSON.stringify({
    ...JSON.parse(strictConfig({ ...settings, lib }, ['vue.vue'])),
    vueCompilerOptions: { strictTemplates: true },
  });
  const vue = ['vue@3', 'vue-tsc@3', 'typescript@5.9'];
  project = makeProject(tarball, { files, others: ['preact@10', 'solid-js@1', 'svelte@5', ...vue] });
});

afterAll(() => {
  project?.remove();
  tarball?.remove();
});

test.each(Object.keys(apps))('the types of the elements in %s', name => {
  expect(typeErrors(`${name}.json`, project.folder)).toBe('');
});

test('the types of the elements in the templates of Vue', () => {
  const command = join(project.folder, 'node_modules/vue-tsc/bin/vue-tsc.js');
  const args = [command, '-p', 'vue.json', '--pretty', 'false'];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: project.folder, encoding: 'utf8' });
  expect(stdout + stderr).toBe('');
});
