import { h } from './dom.js';
import type { ImportLabels } from './labels.js';

/** The form of `<identity-import>`, by its parts. */
export type ImportForm = ReturnType<typeof makeImportForm>;

export function makeImportForm(labels: ImportLabels) {
  const file = h('input', {
    type: 'file',
    part: 'file',
    class: 'hidden-input',
    accept: '.p12,.pfx,application/x-pkcs12,application/pkcs12',
    'aria-labelledby': 'chosen detail',
  });
  const title = h('span', { id: 'chosen' });
  const detail = h('span', { class: 'detail', id: 'detail' });
  const drop = h('label', { class: 'drop', part: 'drop' }, file, title, detail);
  const password = passwordInput('password');
  const keyPassword = passwordInput('key-password');
  const reveal = h('button', { type: 'button', part: 'reveal', 'aria-pressed': 'false' }, labels.show);
  const field = h(
    'div',
    { class: 'field' },
    h('label', { for: 'password' }, labels.password),
    h('div', { class: 'row' }, password, reveal),
  );
  const keyLabel = h('label', { for: 'key-password' }, labels.keyPassword);
  const keyField = h('div', { class: 'field', hidden: true }, keyLabel, keyPassword);
  const submit = h('button', { class: 'primary', part: 'submit' }, labels.import);
  const cancel = h('button', { type: 'button', part: 'cancel', hidden: true }, labels.cancel);
  const progress = h('progress', { part: 'progress', max: '1', hidden: true, 'aria-label': labels.import });
  const status = h('p', { part: 'status', role: 'status' });
  const error = h('p', { class: 'error', part: 'error', id: 'error', role: 'alert', hidden: true });
  const buttons = h('div', { class: 'row' }, submit, cancel);
  const form = h('form', { part: 'form' }, drop, field, keyField, buttons, progress, status, error);
  const texts = { title, detail, status, error };
  const passwords = { password, reveal, keyField, keyPassword };
  return { form, drop, file, submit, cancel, progress, ...texts, ...passwords };
}

function passwordInput(name: string) {
  return h('input', {
    type: 'password',
    id: name,
    part: name,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'error',
  });
}
