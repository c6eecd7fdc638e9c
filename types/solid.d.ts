import type { JSX } from 'solid-js';
import type {
  IdentityImport,
  IdentityImportEvents,
  IdentityImportProps,
  IdentityPicker,
  IdentityPickerProps,
} from './jsx.js';

export * from '../dist/elements/index.js';

declare module 'solid-js' {
  namespace JSX {
    interface IntrinsicElements {
      'identity-import': JSX.HTMLAttributes<IdentityImport> &
        IdentityImportProps &
        IdentityImportEvents<'on:'>;
      'identity-picker': JSX.HTMLAttributes<IdentityPicker> & IdentityPickerProps;
    }
  }
}
