import type { HTMLAttributes } from 'preact';
import type {
  IdentityImport,
  IdentityImportEvents,
  IdentityImportProps,
  IdentityPicker,
  IdentityPickerProps,
} from './jsx.js';

export * from '../dist/elements/index.js';

declare module 'preact' {
  namespace JSX {
    interface IntrinsicElements {
      'identity-import': Omit<HTMLAttributes<IdentityImport>, 'label'> &
        IdentityImportProps &
        IdentityImportEvents<'on'>;
      'identity-picker': HTMLAttributes<IdentityPicker> & IdentityPickerProps;
    }
  }
}
