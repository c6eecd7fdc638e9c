import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type {
  IdentityImport,
  IdentityImportEvents,
  IdentityImportProps,
  IdentityPicker,
  IdentityPickerProps,
} from './jsx.js';

export * from '../dist/elements/index.js';

type Props<Element extends HTMLElement> = DetailedHTMLProps<HTMLAttributes<Element>, Element>;

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'identity-import': Props<IdentityImport> & IdentityImportProps & IdentityImportEvents<'on'>;
      'identity-picker': Props<IdentityPicker> & IdentityPickerProps;
    }
  }
}
