import type { MtlsRequestInit } from '../request-init.js';

/** Where a request comes from, and how much of that its servers are told. */
export interface Referrer {
  url: URL;
  policy: ReferrerPolicy;
}

type Told = 'nothing' | 'origin' | 'url';

/** What each policy tells a server of the same origin, and of another; none of them is reached without TLS. */
const rules: Record<ReferrerPolicy, [Told, Told]> = {
  '': ['url', 'origin'],
  'no-referrer': ['nothing', 'nothing'],
  'no-referrer-when-downgrade': ['url', 'url'],
  'same-origin': ['url', 'nothing'],
  origin: ['origin', 'origin'],
  'strict-origin': ['origin', 'origin'],
  'origin-when-cross-origin': ['url', 'origin'],
  'strict-origin-when-cross-origin': ['url', 'origin'],
  'unsafe-url': ['url', 'url'],
};
const LONGEST = 4096;

/**
 * Whether, and with what, `Referer` is to be sent: only where the caller names a referrer or a policy, because the page's own policy
 * is not shown to scripts. Misuse is a TypeError.
 */
export function readReferrer(request: Request | undefined, init: MtlsRequestInit): Referrer | undefined {
  const policy = init.referrerPolicy ?? request?.referrerPolicy ?? '';
  const text = init.referrer ?? request?.referrer ?? 'about:client';
  if (text === '' || (policy === '' && text === 'about:client')) return undefined;
  const url = urlOf(text);
  return url && { url, policy };
}

/** The page's address, or one of its origin (Fetch standard, "new Request", "referrer"); undefined without a page. */
function urlOf(text: string): URL | undefined {
  const page = /^https?:/.test(globalThis.location?.href ?? '')
    ? new URL(globalThis.location.href)
    : undefined;
  let url: URL;
  try {
    url = new URL(text, globalThis.document?.baseURI ?? page);
  } catch {
    throw new TypeError('"referrer" must be a valid URL');
  }
  return page && url.origin === page.origin ? url : page;
}

/** The value of `Referer` (Referrer Policy, "determine request's referrer"). */
export function refererTo(to: URL, referrer: Referrer | undefined): string | undefined {
  if (!referrer) return undefined;
  const url = new URL(referrer.url);
  url.username = '';
  url.password = '';
  url.hash = '';
  const [same, cross] = rules[referrer.policy];
  const told = url.origin === to.origin ? same : cross;
  if (told === 'nothing') return undefined;
  return told === 'url' && url.href.length <= LONGEST ? url.href : `${url.origin}/`;
}

/** What stays of it when a server redirects: no more than that server was told, by the policy that it names. */
export function referrerAfter(
  from: { url: URL; referrer: Referrer | undefined },
  headers: readonly (readonly [string, string])[],
): Referrer | undefined {
  const told = refererTo(from.url, from.referrer);
  if (told === undefined || !from.referrer) return undefined;
  const named = headers
    .filter(([name]) => name === 'referrer-policy')
    .flatMap(([, value]) => value.split(','))
    .map(policy => policy.trim().toLowerCase())
    .filter((policy): policy is ReferrerPolicy => policy !== '' && Object.hasOwn(rules, policy));
  return { url: new URL(told), policy: named.at(-1) ?? from.referrer.policy };
}
