import { type CaseContext, equal, redirectUrl, shown } from '../case.js';
import { reasons } from './reasons.js';
import { type Difference, subtest, type WptFile } from './subtest.js';

const onlyAsked: Difference = {
  shows: 'Referer',
  reason: reasons.referrer,
};

type Sent = 'nothing' | 'origin' | 'url';

/** What each policy sends to the page's own origin, and to another. */
const policies: Record<string, [Sent, Sent]> = {
  'no-referrer': ['nothing', 'nothing'],
  'no-referrer-when-downgrade': ['url', 'url'],
  origin: ['origin', 'origin'],
  'origin-when-cross-origin': ['url', 'origin'],
  'same-origin': ['url', 'nothing'],
  'strict-origin': ['origin', 'origin'],
  'strict-origin-when-cross-origin': ['url', 'origin'],
  'unsafe-url': ['url', 'url'],
};

/** The page of these subtests: in Node there is none. */
const page = () => new URL(globalThis.location?.href ?? 'https://page.example/path?query');
const named = (url: URL, sent: Sent) =>
  sent === 'nothing' ? undefined : sent === 'origin' ? `${url.origin}/` : url.href.replace(/#.*$/, '');

/** Of two, the one that says less. */
function less(one: Sent, other: Sent): Sent {
  const order: Sent[] = ['nothing', 'origin', 'url'];
  return order[Math.min(order.indexOf(one), order.indexOf(other))] ?? 'nothing';
}

function sentTo(base: string, policy: string): Sent {
  const [same = 'nothing', cross = 'nothing'] = policies[policy] ?? [];
  return base === page().origin ? same : cross;
}

async function redirectedReferer(
  { fetch, origin }: CaseContext,
  to: string,
  { init, header }: { init: string; header: string },
): Promise<string | undefined> {
  const url = `${redirectUrl(origin, 302, `${to}/show`)}&policy=${header}`;
  const { headers } = await (await fetch(url, { referrerPolicy: init as ReferrerPolicy })).json();
  return headers.referer;
}

const overrideCases = Object.keys(policies).flatMap(init =>
  Object.keys(policies).flatMap(header =>
    (['origin', 'other'] as const).map(where =>
      subtest(
        `${init}, then ${header}, to ${where}`,
        async context => {
          const seen = await redirectedReferer(context, context[where], { init, header });
          const expected = less(sentTo(context.origin, init), sentTo(context[where], header));
          equal(seen, named(page(), expected), 'Referer');
        },
        { needs: 'page' },
      ),
    ),
  ),
);

const DEFAULT = 'strict-origin-when-cross-origin';
const redirectCases = Object.keys(policies).flatMap(policy =>
  (['origin', 'other'] as const).flatMap(where => [
    subtest(
      `the redirect says ${policy}, to ${where}`,
      async context => {
        const seen = await redirectedReferer(context, context[where], { init: '', header: policy });
        const expected = less(sentTo(context.origin, DEFAULT), sentTo(context[where], policy));
        equal(seen, named(page(), expected), 'Referer');
      },
      // To another origin than the page's, some send nothing anyway.
      { needs: 'own origin', differs: nothingAnyway(where, policy) ? undefined : onlyAsked },
    ),
    subtest(
      `the caller says ${policy}, to ${where}`,
      async context => {
        const seen = await redirectedReferer(context, context[where], { init: policy, header: '' });
        const expected = less(sentTo(context.origin, policy), sentTo(context[where], policy));
        equal(seen, named(page(), expected), 'Referer');
      },
      { needs: 'page' },
    ),
  ]),
);

function nothingAnyway(where: 'origin' | 'other', policy: string): boolean {
  return policies[policy]?.[where === 'origin' ? 0 : 1] === 'nothing';
}

const crossOrigin = { referrerPolicy: 'origin-when-cross-origin' } as const;
const refererAt = async (context: CaseContext, url: string, init: RequestInit) =>
  (await (await context.fetch(url, init)).json()).headers.referer;

export const referrerFiles: WptFile[] = [
  {
    file: 'basic/referrer.any.js',
    subtests: [
      ...(['origin', 'other'] as const).map(where =>
        subtest(
          `origin-when-cross-origin at ${where}`,
          async context => {
            const expected = named(page(), sentTo(context[where], 'origin-when-cross-origin'));
            equal((await shown(context, crossOrigin, context[where])).headers.referer, expected, 'Referer');
          },
          { needs: 'page' },
        ),
      ),
      ...(['origin', 'other'] as const).map(where =>
        subtest(
          `origin-when-cross-origin, and ${where} redirects`,
          async context => {
            const to = where === 'origin' ? context.other : context.origin;
            const url = redirectUrl(context[where], 302, `${to}/show`);
            equal(await refererAt(context, url, crossOrigin), `${page().origin}/`, 'Referer');
          },
          { needs: 'page' },
        ),
      ),
      ...['user:password@', '#fragment'].map(what =>
        subtest(
          `a referrer with ${what}`,
          async context => {
            const { protocol, host, origin } = page();
            const referrer = what.endsWith('@') ? `${protocol}//${what}${host}` : `${origin}${what}`;
            equal((await shown(context, { referrer })).headers.referer, `${origin}/`, 'Referer');
          },
          { needs: 'page' },
        ),
      ),
    ],
  },
  {
    file: 'basic/request-referrer.any.js',
    subtests: [
      subtest(
        'a Request whose referrer is about:client',
        async ({ fetch, origin }) => {
          const response = await fetch(new Request(`${origin}/show`, { referrer: 'about:client' }));
          equal((await response.json()).headers.referer, page().href, 'Referer');
        },
        { needs: 'own origin', differs: onlyAsked },
      ),
      subtest(
        'a referrer of the same folder',
        async context => {
          const referrer = new URL('./foo', page()).href;
          const expected = context.origin === page().origin ? referrer : `${page().origin}/`;
          equal((await shown(context, { referrer })).headers.referer, expected, 'Referer');
        },
        { needs: 'page' },
      ),
    ],
  },
  { file: 'redirect/redirect-referrer-override.any.js', subtests: overrideCases },
  { file: 'redirect/redirect-referrer.any.js', subtests: redirectCases },
];
