import type { MtlsErrorCode } from '../errors.js';

/** The texts of `<identity-import>`, to be replaced for translation. `{…}` stands for what is filled in. */
export interface ImportLabels {
  choose: string;
  dropHere: string;
  ready: string;
  password: string;
  keyPassword: string;
  show: string;
  import: string;
  cancel: string;
  chooseFirst: string;
  working: string;
  cancelled: string;
  imported: string;
  noKey: string;
  /** Titles of errors by their code. */
  errors: Partial<Record<MtlsErrorCode, string>>;
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
  noKey: 'There is no certificate with its private key in this file.',
  errors: {
    ERR_P12_PASSWORD: 'The password does not open this file',
    ERR_P12_KEY_PASSWORD: 'The key in this file has a password of its own',
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

/** The texts of `<identity-picker>`, to be replaced for translation. */
export interface PickerLabels {
  title: string;
  question: string;
  choices: string;
  issuedBy: string;
  valid: string;
  key: string;
  lastUsed: string;
  never: string;
  locked: string;
  remember: string;
  /** With the attribute `remember="permanent"`. */
  rememberPermanently: string;
  use: string;
  without: string;
  cancel: string;
  nothing: string;
  /** Reasons why an identity does not fit, by code. */
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
    ERR_IDENTITY_EXPIRED: 'Its time on this device is over.',
    ERR_IDENTITY_LOCKED: 'It is locked.',
  },
};

export function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
}
