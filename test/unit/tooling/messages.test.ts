import { expect, it } from 'vitest';
import { thrownMessages } from './support/thrown-messages.js';

const messages = thrownMessages(['src', 'relay/src']);
const shown = (wanted: typeof messages) => wanted.map(({ place, text }) => `${place} ${text}`);

it('finds the messages', () => {
  expect(messages.filter(it => it.type === 'MtlsError').length).toBeGreaterThan(100);
  expect(messages.filter(it => it.type === 'TypeError').length).toBeGreaterThan(100);
});

it('every MtlsError has a message of whole sentences', () => {
  const isSentence = (text: string) => /^(?:[\p{Lu}…]|\w+\.wasm)(?:.*[.…?])?$/su.test(text);
  const wrong = messages.filter(({ type, text }) => type === 'MtlsError' && !isSentence(text));
  expect(shown(wrong)).toEqual([]);
});

/** Inside of a module, which puts them into another error or catches them; and those that a reader of a body gets. */
const INNER = [
  'the engine has no function …',
  'not an object identifier: …',
  'no decoder of …',
  'it is damaged',
  'it does not go on',
  'it is cut short',
  'the body was cancelled before its trailers came',
  'the server reads no more of the body',
  'no certificate was chosen',
  'not a list of certificates',
  'the list is cut short',
  'browser_mtls_relay',
  'not a header of the PROXY protocol',
  '… is not a network',
];

it('every TypeError names what is misused, and what it must be', () => {
  const isMisuse = (text: string) => /^"[^"]+".* (?:must|is not an option)\b.*[^.]$|^…$/s.test(text);
  const wrong = messages.filter(
    ({ type, text }) => type === 'TypeError' && !isMisuse(text) && !INNER.includes(text),
  );
  expect(shown(wrong)).toEqual([]);
});

it('no message has words that need a second reading', () => {
  const odd = /(?<!\bthere )\b(?:is|are|was|were) (?:no|none)\b|\bany more\b|\bnone of\b|^(?:Of|What|Who) /i;
  expect(shown(messages.filter(({ text }) => odd.test(text)))).toEqual([]);
});
