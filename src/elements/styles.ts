const css = `
:host {
  --identity-accent: LinkText;
  --identity-border: color-mix(in srgb, currentColor 35%, transparent);
  --identity-error: light-dark(#b3261e, #ff8a80);
  --identity-radius: 6px;
  --identity-gap: 0.75rem;
  display: block;
  font: inherit;
  color: inherit;
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
form, .panel { display: grid; gap: var(--identity-gap); margin: 0; }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
.field { display: grid; gap: 0.25rem; }
.hidden-input { position: absolute; inline-size: 1px; block-size: 1px; opacity: 0; }
.drop {
  position: relative; display: grid; gap: 0.25rem; padding: 1.25rem; text-align: center; cursor: pointer;
  border: 2px dashed var(--identity-border); border-radius: var(--identity-radius); overflow-wrap: anywhere;
}
.drop:focus-within, .drop.over { border-color: var(--identity-accent); border-style: solid; }
.drop:focus-within { outline: 2px solid var(--identity-accent); outline-offset: 2px; }
.detail { font-size: 0.875em; opacity: 0.8; }
input[type='password'], input[type='text'] {
  flex: 1; min-inline-size: 8rem; padding: 0.5rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--identity-border); border-radius: var(--identity-radius);
}
input[aria-invalid='true'] { border-color: var(--identity-error); }
button {
  padding: 0.5rem 0.9rem; font: inherit; color: inherit; cursor: pointer; background: transparent;
  border: 1px solid var(--identity-border); border-radius: var(--identity-radius);
}
button.primary { color: Canvas; background: var(--identity-accent); border-color: var(--identity-accent); }
button[aria-disabled='true'] { opacity: 0.6; cursor: default; }
button:focus-visible, input:focus-visible { outline: 2px solid var(--identity-accent); outline-offset: 2px; }
progress { inline-size: 100%; accent-color: var(--identity-accent); }
.error { margin: 0; padding: 0.6rem 0.75rem; border-inline-start: 3px solid var(--identity-error); }
.error strong { display: block; color: var(--identity-error); }
p { margin: 0; }
fieldset { display: grid; gap: 0.5rem; margin: 0; padding: 0; border: 0; min-inline-size: 0; }
legend { padding: 0; margin-block-end: 0.5rem; }
.option {
  display: grid; grid-template-columns: auto 1fr; align-items: start; gap: 0.25rem 0.75rem; padding: 0.75rem; cursor: pointer;
  border: 1px solid var(--identity-border); border-radius: var(--identity-radius);
}
.option:has(input:checked) { border-color: var(--identity-accent); box-shadow: inset 0 0 0 1px var(--identity-accent); }
.option:has(input:disabled) { cursor: default; }
.option:has(input:disabled) .name, .option:has(input:disabled) dl { opacity: 0.65; }
.option > div { min-inline-size: 0; display: grid; gap: 0.25rem; overflow-wrap: anywhere; }
.name { font-weight: 600; }
.reason { color: var(--identity-error); }
dl { display: grid; grid-template-columns: auto 1fr; gap: 0.1rem 0.75rem; margin: 0; font-size: 0.875em; }
dt { opacity: 0.75; }
dd { margin: 0; overflow-wrap: anywhere; }
dialog {
  inline-size: min(34rem, calc(100vw - 2rem)); max-block-size: calc(100dvh - 2rem); padding: 1.25rem; color: CanvasText;
  background: Canvas; border: 1px solid var(--identity-border); border-radius: calc(2 * var(--identity-radius));
}
dialog::backdrop { background: rgb(0 0 0 / 45%); }
h2 { margin: 0; font-size: 1.15em; }
.options { max-block-size: 50dvh; overflow-y: auto; padding: 2px; }
.option > input { margin-block-start: 0.35em; }
.check { display: flex; gap: 0.5rem; align-items: baseline; }
.buttons { justify-content: flex-end; }
@media (forced-colors: active) { .option:has(input:checked) { outline: 2px solid Highlight; } }
@media (prefers-reduced-motion: no-preference) { .drop { transition: border-color 0.15s; } }
`;

let sheet: CSSStyleSheet | undefined;

/** A constructed style sheet, which no Content-Security-Policy forbids. */
export function adoptStyles(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
  }
  root.adoptedStyleSheets = [sheet];
}
