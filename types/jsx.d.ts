import type {
  IdentityErrorDetail,
  IdentityImport,
  IdentityImportDetail,
  IdentityPicker,
  ImportLabels,
  PickerLabels,
} from '../dist/elements/index.js';
import type { IdentityControls } from '../dist/index.js';

/** Attributes and properties of `<identity-import>` in JSX. React before 19 sets attributes only. */
export interface IdentityImportProps extends Partial<Pick<IdentityImport, 'store' | 'controls' | 'options'>> {
  hosts?: string;
  label?: string;
  persistence?: NonNullable<IdentityControls['persistence']>;
  'user-verification'?: NonNullable<IdentityControls['userVerification']>;
  labels?: Partial<ImportLabels>;
}

/** Attributes and properties of `<identity-picker>` in JSX. React before 19 sets attributes only. */
export interface IdentityPickerProps {
  inline?: boolean;
  remember?: 'permanent';
  labels?: Partial<PickerLabels>;
}

/** The events of `<identity-import>`, as props with this prefix. */
export type IdentityImportEvents<Prefix extends 'on' | 'on:'> = {
  [Name in `${Prefix}identity-import`]?: (event: CustomEvent<IdentityImportDetail>) => void;
} & { [Name in `${Prefix}identity-error`]?: (event: CustomEvent<IdentityErrorDetail>) => void };

export type { IdentityImport, IdentityPicker };
