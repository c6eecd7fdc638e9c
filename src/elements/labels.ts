import type { MtlsErrorCode } from '../errors.js';

/** The texts of `<identity-import>`, for translation. A name in braces is a placeholder. */
export interface ImportLabels {
  /** The title of the field for the file. Default: "Choose a .p12 or .pfx file". */
  choose: string;
  /** The line below that title. Default: "or drop it here". */
  dropHere: string;
  /** The line below the name of a chosen file. Default: "{size}, ready to import". */
  ready: string;
  /** The label of the password field. Default: "Password of the file". */
  password: string;
  /** The label of the field for a key's separate password. Default: "Password of the key in it". */
  keyPassword: string;
  /** The button that shows the passwords. Default: "Show". */
  show: string;
  /** The button that starts the import. Default: "Import". */
  import: string;
  /** The button that ends an import. Default: "Cancel". */
  cancel: string;
  /** The status if no file is chosen. Default: "Choose a file first." */
  chooseFirst: string;
  /** The status during the import. Default: "Opening {name} …". */
  working: string;
  /** The status after *Cancel*. Default: "Cancelled." */
  cancelled: string;
  /** The status after the import. Default: "Imported {names}." */
  imported: string;
  /** Behind that status, if a certificate has expired. Default: "{name} expired on {date}." */
  expired: string;
  /** Behind that status, if a certificate is not valid yet. Default: "{name} is not valid before {date}." */
  notYetValid: string;
  /** The error of a file without a private key. Default: "There is no certificate with its private key in this file." */
  noKey: string;
  /** The titles of errors, by code. The message of the error follows them. */
  errors: Partial<Record<MtlsErrorCode, string>>;
  /** The title of all other errors. Default: "The import failed". */
  otherError: string;
}

export const importLabels: ImportLabels = {
  choose: 'Choose a .p12 or .pfx file',
  dropHere: 'or drop it here',
  ready: '{size}, ready to import',
  password: 'Password of the file',
  keyPassword: 'Password of the key in it',
  show: 'Show',
  import: 'Import',
  cancel: 'Cancel',
  chooseFirst: 'Choose a file first.',
  working: 'Opening {name} …',
  cancelled: 'Cancelled.',
  imported: 'Imported {names}.',
  expired: '{name} expired on {date}.',
  notYetValid: '{name} is not valid before {date}.',
  noKey: 'There is no certificate with its private key in this file.',
  errors: {
    ERR_P12_PASSWORD: 'The password does not open this file',
    ERR_P12_KEY_PASSWORD: 'The key in this file has a separate password',
    ERR_P12_MALFORMED: 'This file cannot be read',
    ERR_P12_UNSUPPORTED: 'This kind of file is not supported',
    ERR_P12_TOO_EXPENSIVE: 'This file would take too long to open',
    ERR_IDENTITY_DUPLICATE: 'This certificate is there already',
    ERR_IDENTITY_NO_SEALED_COPY: 'This page did not prepare for confirmation',
    ERR_STORE_QUOTA: 'The browser has no room left',
    ERR_STORE_UNAVAILABLE: 'The browser refuses to store it',
    ERR_VERIFICATION_FAILED: 'It was not confirmed',
    ERR_VERIFICATION_UNAVAILABLE: 'This browser cannot ask for confirmation',
    ERR_INSECURE_CONTEXT: 'This page has to be opened over https:',
    ERR_ENGINE_LOAD: 'A part of the page could not be loaded',
  },
  otherError: 'The import failed',
};

/** The texts of `<identity-picker>`, for translation. A name in braces is a placeholder. */
export interface PickerLabels {
  /** The title of the dialog. Default: "Choose a certificate". */
  title: string;
  /** The question below it. Default: "{host} asks who you are." */
  question: string;
  /** The name of the list, for screen readers. Default: "Certificates". */
  choices: string;
  /** The label of the issuer. Default: "Issued by". */
  issuedBy: string;
  /** The label of the validity. Default: "Valid". */
  valid: string;
  /** The label of the kind of key. Default: "Key". */
  key: string;
  /** The label of the last use. Default: "Last used". */
  lastUsed: string;
  /** The last use of an identity that was not used yet. Default: "never". */
  never: string;
  /** A note at locked identities. Default: "You will be asked to confirm its use." */
  locked: string;
  /** The checkbox. Default: "Remember until this page is closed". */
  remember: string;
  /** The checkbox with the attribute `remember="permanent"`. Default: "Remember on this device". */
  rememberPermanently: string;
  /** The button that shows the chosen certificate. Default: "Use this certificate". */
  use: string;
  /** The button that continues without a certificate. Default: "Go on without one". */
  without: string;
  /** The button that cancels. Default: "Cancel". */
  cancel: string;
  /** The status if no identity can be chosen. Default: "There is no certificate that this server accepts." */
  nothing: string;
  /** The reasons why an identity does not fit, by code. Default: the message of the reason. */
  reasons: Partial<Record<MtlsErrorCode, string>>;
}

export const pickerLabels: PickerLabels = {
  title: 'Choose a certificate',
  question: '{host} asks who you are.',
  choices: 'Certificates',
  issuedBy: 'Issued by',
  valid: 'Valid',
  key: 'Key',
  lastUsed: 'Last used',
  never: 'never',
  locked: 'You will be asked to confirm its use.',
  remember: 'Remember until this page is closed',
  rememberPermanently: 'Remember on this device',
  use: 'Use this certificate',
  without: 'Go on without one',
  cancel: 'Cancel',
  nothing: 'There is no certificate that this server accepts.',
  reasons: {
    ERR_TLS_CERT_EXPIRED: 'It has expired.',
    ERR_TLS_CERT_NOT_YET_VALID: 'It is not valid yet.',
    ERR_TLS_CERT_PURPOSE: 'It is not for signing in.',
    ERR_IDENTITY_NOT_ACCEPTED: 'This server does not accept it.',
    ERR_IDENTITY_NOT_ALLOWED: 'It is not set for this host.',
    ERR_IDENTITY_EXPIRED: 'Its use on this device has ended.',
    ERR_IDENTITY_LOCKED: 'It is locked.',
  },
};

export function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
