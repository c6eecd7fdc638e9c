import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitepress';
import { tableLabels } from './table-labels.mjs';

const page = (text, name) => ({ text, link: `/${name}` });
const apiFile = fileURLToPath(new URL('../.pages/api/typedoc-sidebar.json', import.meta.url));
const entries = {
  index: 'browser-mtls',
  elements: 'browser-mtls/elements',
  connect: 'browser-mtls/connect',
  'service-worker': 'browser-mtls/service-worker',
  relay: 'browser-mtls-relay',
};
const api = JSON.parse(existsSync(apiFile) ? readFileSync(apiFile, 'utf8') : '[]').map(it => ({
  ...it,
  text: entries[it.text] ?? it.text,
}));

const slugify = heading =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');

const guide = [
  {
    text: 'Start',
    items: [page('First answer', ''), page('Embedding', 'embedding'), page('Limits', 'limits')],
  },
  {
    text: 'Use it',
    items: [
      page('fetch', 'fetch'),
      page('WebSocket', 'websocket'),
      page('Connections', 'connections'),
      page('Elements', 'elements'),
      page('PKCS#12 files', 'pkcs12'),
      page('Keychain', 'keychain'),
      page('Enrolment', 'enrolment'),
      page('Diagnostics', 'diagnostics'),
      page('Worker', 'worker'),
      page('Service worker', 'service-worker'),
      page('Libraries', 'libraries'),
      page('gRPC', 'grpc'),
    ],
  },
  {
    text: 'Decide',
    items: [page('Trust', 'trust'), page('Challenges', 'challenges'), page('Security', 'security')],
  },
  {
    text: 'Run it',
    items: [
      page('Relay', 'relay'),
      page('Tunnel', 'tunnel'),
      page('Servers', 'servers'),
      page('Errors', 'errors'),
      page('Performance', 'performance'),
      page('Browsers', 'browsers'),
    ],
  },
  {
    text: 'Change it',
    items: [
      page('Contributing', 'contributing'),
      page('Architecture', 'architecture'),
      page('Testing', 'testing'),
      page('Changelog', 'changelog'),
      page('Reporting', 'reporting'),
    ],
  },
];

export default defineConfig({
  title: 'browser-mtls',
  description: 'Mutual TLS under the control of a web page',
  srcDir: '.pages',
  outDir: 'dist',
  cacheDir: 'node_modules/.vitepress',
  cleanUrls: false,
  lastUpdated: false,
  // The address of the app that the reader makes.
  ignoreDeadLinks: ['http://localhost:5173'],
  markdown: {
    // As GitHub and the tests of the documents make them.
    anchor: { slugify },
    languageAlias: { haproxy: 'nginx', caddy: 'nginx' },
    config: md => md.use(tableLabels),
  },
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [page('Guide', ''), page('API', 'api/'), page('Errors', 'errors'), page('Demo', 'demo')],
    sidebar: { '/api/': [{ text: 'API', link: '/api/', items: api }], '/': guide },
  },
});
