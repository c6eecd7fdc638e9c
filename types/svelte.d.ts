import type { HTMLAttributes } from 'svelte/elements';
import type {
  IdentityImport,
  IdentityImportEvents,
  IdentityImportProps,
  IdentityPicker,
  IdentityPickerProps,
} from './jsx.js';

export * from '../dist/elements/index.js';

declare module 'svelte/elements' {
  interface SvelteHTMLElements {
    'identity-import': HTMLAttributes<IdentityImport> & IdentityImportProps & IdentityImportEvents<'on'>;
    'identity-picker': HTMLAttributes<IdentityPicker> & IdentityPickerProps;
  }
}
