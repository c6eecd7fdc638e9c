import { byId, h } from './dom.js';
import { formatTime } from './format.js';

const MAX_ENTRIES = 200;

export type LogKind = 'info' | 'good' | 'bad';

/** Adds a line to the page's activity log, which screen readers announce. No password, no body, no key goes in here. */
export function log(message: string, kind: LogKind = 'info'): void {
  const list = byId('log', HTMLOListElement);
  const now = new Date();
  const time = h('time', { datetime: now.toISOString() }, formatTime(now));
  list.append(h('li', { class: kind }, time, h('span', {}, message)));
  if (list.children.length > MAX_ENTRIES) list.firstElementChild?.remove();
  const box = list.parentElement;
  if (box) box.scrollTop = box.scrollHeight;
}
