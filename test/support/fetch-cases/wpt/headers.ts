import { answerUrl, type CaseContext, equal, failure, shown, typeError } from '../case.js';
import { reasons } from './reasons.js';
import { subtest, type WptFile } from './subtest.js';

const dictionary: Record<string, unknown> = {
  name1: 'value1',
  name2: 'value2',
  name4: null,
  name5: undefined,
  name6: 1,
  'Content-Type': 'value4',
};

async function arrive(context: CaseContext, headers: HeadersInit): Promise<void> {
  const seen = await shown(context, { headers });
  for (const [name, value] of Object.entries(dictionary))
    equal(seen.headers[name.toLowerCase()], String(value), name);
}

const kinds: [string, () => HeadersInit][] = [
  ['pairs', () => Object.entries(dictionary) as [string, string][]],
  ['a record', () => dictionary as Record<string, string>],
  ['Headers', () => new Headers(dictionary as Record<string, string>)],
];
const cases = { UPPERCASE: 'value1', lowercase: 'value2', mixedCase: 'value3', 'Content-TYPE': 'value4' };
const normalised: [string, string, string][] = [
  ['spaces', ' space ', 'space'],
  ['tabs', '\ttab\t', 'tab'],
  ['both', ' spaceAndTab\t', 'spaceAndTab'],
  ['a line break before', '\r\n newLine', 'newLine'],
  ['a line break behind', 'newLine\r\n ', 'newLine'],
  ['a line break and a tab', '\r\n\tnewLine', 'newLine'],
];
const wrong: [string, unknown][] = [
  ['a pair of one', [['name']]],
  ['a pair of three', [['invalid', 'invalidValue1', 'invalidValue2']]],
  ['a name beyond Latin-1', [['invalid\u0100', 'Value1']]],
  ['a value beyond Latin-1', [['name', 'invalidValue\u0100']]],
  ['null', null],
  ['a number', 1],
];

/** What is read of a record, in this order. */
async function reads({ fetch, origin }: CaseContext, record: object, good = true): Promise<string[]> {
  const log: string[] = [];
  const note = (trap: string, key?: unknown) => log.push(`${trap} ${String(key ?? '')}`.trim());
  const headers = new Proxy(record, {
    get(target, key, receiver) {
      note('get', key);
      return Reflect.get(target, key, receiver);
    },
    ownKeys(target) {
      note('keys');
      return Reflect.ownKeys(target);
    },
    getOwnPropertyDescriptor(target, key) {
      note('own', key);
      return Reflect.getOwnPropertyDescriptor(target, key);
    },
  }) as Record<string, string>;
  const promise = fetch(`${origin}/show`, { headers });
  if (good) await promise;
  else equal((await failure(promise)).name, 'TypeError');
  return log;
}

const START = ['get Symbol(Symbol.iterator)', 'keys'];
const records: [string, () => object, string[], boolean?][] = [
  ['one property', () => ({ a: 'b' }), ['own a', 'get a']],
  [
    'one property and a prototype',
    () => Object.create({ c: 'd' }, { a: { value: 'b', enumerable: true } }),
    ['own a', 'get a'],
  ],
  ['two properties', () => ({ a: 'b', c: 'd' }), ['own a', 'get a', 'own c', 'get c']],
  ['an invalid name', () => ({ a: 'b', '\uffff': 'd' }), ['own a', 'get a', 'own \uffff'], false],
  ['an invalid value', () => ({ a: '\uffff', c: 'd' }), ['own a', 'get a'], false],
  [
    'properties that are not enumerable',
    () => Object.defineProperties({}, { a: { value: 'b' }, c: { value: 'd', enumerable: true } }),
    ['own a', 'own c', 'get c'],
  ],
  [
    'a symbol',
    () => ({ a: 'b', [Symbol.toStringTag]: 'x', c: 'd' }),
    ['own a', 'get a', 'own c', 'get c', 'own Symbol(Symbol.toStringTag)'],
    false,
  ],
  [
    'a symbol that is not enumerable',
    () => Object.defineProperty({ a: 'b' }, Symbol.toStringTag, { value: 'x', enumerable: false }),
    ['own a', 'get a', 'own Symbol(Symbol.toStringTag)'],
  ],
];

/** Every value of a byte that a header can have, and what becomes of those that cannot stand at its ends. */
const control = Array.from({ length: 0x21 }, (_, code) => String.fromCharCode(code)).filter(
  it => !'\v\f'.includes(it),
);

const isCut = (character: string) => '\t\n\r '.includes(character);
const noControls = {
  shows: "a header's name or value cannot be sent",
  reason: reasons.controls,
};

const normaliseCases = control.map(character => {
  const code = character.charCodeAt(0);
  return subtest(
    `U+${code.toString(16).padStart(4, '0')} alone, behind and before an x`,
    async context => {
      const { fetch, origin } = context;
      const values = [character, `x${character}`, `${character}x`];
      if (code === 0) {
        for (const value of values) await typeError(fetch(`${origin}/show`, { headers: { value } }));
        return;
      }
      const [one = '', two = '', three = ''] = values;
      const { headers } = await shown(context, { headers: { one, two, three } });
      equal([headers.one, headers.two, headers.three], isCut(character) ? ['', 'x', 'x'] : values);
    },
    { differs: code === 0 || isCut(character) ? undefined : noControls },
  );
});

export const headerFiles: WptFile[] = [
  {
    file: 'headers/headers-basic.any.js',
    subtests: [
      ...[undefined, {}].map(headers =>
        subtest(`headers of ${JSON.stringify(headers)}`, async ({ fetch, origin }) =>
          equal((await fetch(`${origin}/show`, { headers } as RequestInit)).status, 200),
        ),
      ),
      ...wrong
        .slice(4)
        .map(([name, headers]) =>
          subtest(`headers of ${name}`, ({ fetch, origin }) =>
            typeError(fetch(`${origin}/show`, { headers } as RequestInit)),
          ),
        ),
      ...kinds.map(([name, make]) => subtest(`${name} arrive`, context => arrive(context, make()))),
      subtest('Headers with an iterator of their own', async context => {
        const headers = new Headers();
        headers[Symbol.iterator] = function* () {
          yield ['test', 'test'];
        } as never;
        equal((await shown(context, { headers })).headers.test, 'test');
      }),
      ...(['keys', 'values', 'entries', 'forEach'] as const).map(name =>
        subtest(`${name} of a response's headers is sorted`, async ({ fetch, origin }) => {
          const sent = {
            name: '3',
            name1: '1',
            Name2: '2',
            'content-Type': '4',
            'Content-Typ': '5',
            'Content-Types': '6',
          };
          const { headers } = await fetch(answerUrl(origin, { headers: sent }));
          const found: [string, string][] = [];
          if (name === 'forEach')
            headers.forEach((value, key) => {
              found.push([key, value]);
            });
          else if (name === 'entries') found.push(...headers.entries());
          else {
            const values = [...headers.values()];
            for (const key of headers.keys()) found.push([key, values[found.length] ?? '']);
          }
          const ours = found.filter(([key]) => /^(name|content-typ)/.test(key));
          const names = ['content-typ', 'content-type', 'content-types', 'name', 'name1', 'name2'];
          equal(
            ours,
            names.map((key, i) => [key, '546312'[i]]),
          );
        }),
      ),
    ],
    without: "The rest asks the platform's Headers.",
  },
  {
    file: 'headers/headers-casing.any.js',
    subtests: [
      subtest('headers arrive, whatever their case', async context => {
        const seen = await shown(context, { headers: cases });
        equal(
          Object.keys(cases).map(name => seen.headers[name.toLowerCase()]),
          Object.values(cases),
        );
      }),
      subtest("a response's headers are found, whatever the case", async ({ fetch, origin }) => {
        const { headers } = await fetch(answerUrl(origin, { headers: cases }));
        for (const [name, value] of Object.entries(cases))
          equal(
            [headers.get(name), headers.get(name.toUpperCase()), headers.get(name.toLowerCase())],
            [value, value, value],
          );
      }),
    ],
    without: "The rest asks the platform's Headers.",
  },
  {
    file: 'headers/headers-combine.any.js',
    subtests: [
      subtest('several of a name arrive as one', async context => {
        const headers: [string, string][] = ['one', 'two', 'three'].map(value => ['triple', value]);
        equal((await shown(context, { headers })).headers.triple, 'one, two, three');
      }),
    ],
    without: "The rest asks the platform's Headers.",
  },
  {
    file: 'headers/headers-errors.any.js',
    subtests: [
      ...wrong
        .slice(0, 4)
        .map(([name, headers]) =>
          subtest(`headers of ${name}`, ({ fetch, origin }) =>
            typeError(fetch(`${origin}/show`, { headers } as RequestInit)),
          ),
        ),
      ...(['get', 'has', 'delete'] as const).map(method =>
        subtest(`${method}() of a response's headers with a bad name`, async ({ fetch, origin }) => {
          const { headers } = await fetch(`${origin}/show`);
          await typeError((async () => headers[method]('invalid\u0100'))());
        }),
      ),
    ],
    without: "The rest asks the platform's Headers.",
  },
  {
    file: 'headers/headers-normalize.any.js',
    subtests: normalised.map(([name, given, sent]) =>
      subtest(`${name} around a value`, async context =>
        equal((await shown(context, { headers: { name: given } })).headers.name, sent),
      ),
    ),
    without: 'Values with a form feed or a no-break space are in header-values.any.js.',
  },
  {
    file: 'headers/headers-record.any.js',
    subtests: records.map(([name, make, expected, good]) =>
      subtest(`a record is read in order: ${name}`, async context =>
        equal(await reads(context, make(), good), [...START, ...expected]),
      ),
    ),
    without: "Three ask the platform's Headers without a record.",
  },
  {
    file: 'headers/header-values.any.js',
    subtests: [
      ...['\0', '\n', '\r'].map(character =>
        subtest(`a value with ${JSON.stringify(character)} in it`, ({ fetch, origin }) =>
          typeError(fetch(origin, { headers: { 'value-test': `x${character}x` } })),
        ),
      ),
      subtest(
        'every other byte within a value',
        async context => {
          const codes = Array.from({ length: 256 }, (_, code) => code).filter(
            code => ![0, 10, 13].includes(code),
          );
          const headers = Object.fromEntries(
            codes.map(code => [`v${code}`, `x${String.fromCharCode(code)}x`]),
          );
          const seen = await shown(context, { headers });
          for (const [name, value] of Object.entries(headers)) equal(seen.headers[name], value, name);
        },
        { differs: noControls },
      ),
    ],
    without: 'Half of it is about XMLHttpRequest.',
  },
  {
    file: 'headers/header-values-normalize.any.js',
    subtests: normaliseCases,
    without: 'Half of it is about XMLHttpRequest.',
  },
  {
    file: 'headers/header-setcookie.any.js',
    subtests: [
      subtest('Set-Cookie of a response is not shown', async ({ fetch, origin }) => {
        const { headers } = await fetch(
          answerUrl(origin, { headers: { 'set-cookie': 'a=1; Max-Age=0', x: 'y' } }),
        );
        equal([headers.get('set-cookie'), headers.getSetCookie(), headers.get('x')], [null, [], 'y']);
      }),
    ],
    without: "The rest asks the platform's Headers.",
  },
];
