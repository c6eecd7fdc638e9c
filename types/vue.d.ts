import type { EmitFn, HTMLAttributes, PublicProps } from 'vue';
import type { IdentityErrorDetail, IdentityImportDetail } from '../dist/elements/index.js';
import type { IdentityImport, IdentityImportProps, IdentityPicker, IdentityPickerProps } from './jsx.js';

export * from '../dist/elements/index.js';

/** The props as Vue names them. */
type ImportProps = Omit<IdentityImportProps, 'user-verification'> & {
  userVerification?: NonNullable<IdentityImportProps['user-verification']>;
};

/** A custom element as templates are checked against it. */
type InTemplate<Element extends HTMLElement, Props, Events = Record<never, never>> = new () => Element & {
  $props: HTMLAttributes & PublicProps & Props;
  $emit: EmitFn<{ [Name in keyof Events]: (event: Events[Name]) => void }>;
};

declare module 'vue' {
  interface GlobalComponents {
    'identity-import': InTemplate<
      IdentityImport,
      ImportProps,
      {
        'identity-import': CustomEvent<IdentityImportDetail>;
        'identity-error': CustomEvent<IdentityErrorDetail>;
      }
    >;
    'identity-picker': InTemplate<IdentityPicker, IdentityPickerProps>;
  }
}
