import { answerUrl, type CaseContext, equal, redirectUrl, shown } from '../case.js';
import { subtest, type WptFile } from './subtest.js';

const authorization = `Basic ${btoa('user:pass')}`;

async function sentAlong(
  context: CaseContext,
  pairs: string[],
  [first, second]: [RequestCredentials, RequestCredentials],
): Promise<string | undefined> {
  const { fetch, origin } = context;
  try {
    for (const pair of pairs) {
      const headers = { 'set-cookie': `${pair}; Secure; SameSite=None; Path=/` };
      await fetch(answerUrl(origin, { headers }), { credentials: first });
    }
    return (await shown(context, { credentials: second })).headers.cookie;
  } finally {
    for (const pair of pairs) {
      const headers = { 'set-cookie': `${pair}; Secure; SameSite=None; Path=/; Max-Age=0` };
      await fetch(answerUrl(origin, { headers }), { credentials: 'include' });
    }
  }
}

const cookieCases: [RequestCredentials, RequestCredentials, string[], boolean][] = [
  ['include', 'include', ['a=1'], true],
  ['include', 'include', ['b=2', 'c=3'], true],
  ['omit', 'omit', ['d=4'], false],
  ['omit', 'include', ['e=5'], false],
  ['include', 'omit', ['f=6'], false],
  ['same-origin', 'same-origin', ['a=1'], true],
  ['same-origin', 'same-origin', ['b=2', 'c=3'], true],
];

export const credentialsFiles: WptFile[] = [
  {
    file: 'credentials/authentication-basic.any.js',
    subtests: (['include', 'same-origin', 'omit'] as const).map(credentials =>
      subtest(`the caller's Authorization with ${credentials}`, async context => {
        const { headers } = await shown(context, { credentials, headers: { authorization } });
        equal(headers.authorization, authorization);
      }),
    ),
    without: 'Whether the password is right is for the server to say.',
  },
  {
    file: 'credentials/authentication-redirection.any.js',
    subtests: (
      [
        ['not redirected', ({ origin }: CaseContext) => `${origin}/show`, true],
        ['within the origin', ({ origin }: CaseContext) => redirectUrl(origin, 302, '/show'), true],
        ['within another origin', ({ other }: CaseContext) => redirectUrl(other, 302, '/show'), true],
        [
          'to another origin',
          ({ origin, other }: CaseContext) => redirectUrl(other, 302, `${origin}/show`),
          false,
        ],
      ] as const
    ).map(([name, url, kept]) =>
      subtest(`Authorization, ${name}`, async context => {
        const response = await context.fetch(url(context), { headers: { authorization } });
        equal((await response.json()).headers.authorization, kept ? authorization : undefined);
      }),
    ),
  },
  {
    file: 'credentials/cookies.any.js',
    subtests: cookieCases.map(([first, second, pairs, sent]) =>
      subtest(
        `${pairs.join(', ')}: set with ${first}, then ${second}`,
        async context =>
          equal(await sentAlong(context, pairs, [first, second]), sent ? pairs.join('; ') : undefined),
        first === 'same-origin' ? { needs: 'own origin' } : {},
      ),
    ),
  },
];
