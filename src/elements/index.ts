/** @module elements */

import { define } from './dom.js';
import { IdentityImport } from './identity-import.js';
import { IdentityPicker } from './identity-picker.js';

export { type IdentityErrorDetail, IdentityImport, type IdentityImportDetail } from './identity-import.js';
export { IdentityPicker, type PickerAnswer, type PickerQuestion } from './identity-picker.js';
export type { ImportLabels, PickerLabels } from './labels.js';

define('identity-import', IdentityImport);
define('identity-picker', IdentityPicker);

declare global {
  interface HTMLElementTagNameMap {
    'identity-import': IdentityImport;
    'identity-picker': IdentityPicker;
  }
}
