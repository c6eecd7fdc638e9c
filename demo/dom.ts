type Child = Node | string | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined>;

/** The element with this id, of this class; the page is written so that it is there. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`the page has no ${type.name} with the id ${id}`);
  return element;
}

/** A new element. Text goes in as text nodes only, so nothing that a certificate or a server says is read as HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter(child => child !== undefined && child !== false));
  return element;
}

/** A row of a description list. */
export function fact(name: string, value: Child, attributes: Attributes = {}): HTMLElement {
  return h('div', {}, h('dt', {}, name), h('dd', attributes, value));
}

export function button(label: string, onClick: () => void, attributes: Attributes = {}): HTMLButtonElement {
  const element = h('button', { type: 'button', ...attributes }, label);
  element.addEventListener('click', onClick);
  return element;
}
