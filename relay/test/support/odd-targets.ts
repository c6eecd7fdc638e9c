/** Names that lead where a page must not come, by its own DNS. */
export const TRAPS: Record<string, string[]> = {
  'loop.test': ['127.0.0.1'],
  'loop-high.test': ['127.255.255.254'],
  'loop6.test': ['::1'],
  'mapped.test': ['::ffff:127.0.0.1'],
  'mapped-metadata.test': ['::ffff:169.254.169.254'],
  'compatible.test': ['::127.0.0.1'],
  'translated.test': ['::ffff:0:127.0.0.1'],
  'nat64.test': ['64:ff9b::127.0.0.1'],
  'nat64-metadata.test': ['64:ff9b::169.254.169.254'],
  'nat64-local.test': ['64:ff9b:1::127.0.0.1'],
  '6to4.test': ['2002:7f00:1::1'],
  'teredo.test': ['2001:0:808:808::80ff:fffe'],
  'isatap.test': ['2001:470::5efe:127.0.0.1'],
  'zero.test': ['0.0.0.0'],
  'zero-net.test': ['0.0.0.1'],
  'zero6.test': ['::'],
  'link.test': ['169.254.1.1', 'fe80::1'],
  'metadata.test': ['169.254.169.254'],
  'metadata6.test': ['fd00:ec2::254'],
  'metadata-alibaba.test': ['100.100.100.200'],
  'metadata-azure.test': ['168.63.129.16'],
  'multicast.test': ['224.0.0.1', 'ff02::1'],
  'broadcast.test': ['255.255.255.255'],
  'reserved.test': ['240.0.0.1', '4000::1'],
  'all.test': ['127.0.0.1', '::1', '0.0.0.0', '169.254.169.254'],
};

/** Names that lead into a private network, which an entry may want. */
export const PRIVATE: Record<string, string[]> = {
  'ten.test': ['10.0.0.1'],
  'lan.test': ['192.168.0.1', '172.16.0.1'],
  'shared.test': ['100.64.0.1'],
  'unique-local.test': ['fd00::1'],
  'nat64-private.test': ['64:ff9b::10.0.0.1'],
};

const NUMBERS = [
  ...['2130706433', '0x7f000001', '0X7F000001', '017700000001', '127.1', '127.0.1', '0x7f.1', '0177.0.0.1'],
  ...[
    '0x7f.0x0.0x0.0x1',
    '127.0.0.01',
    '127.0.0.001',
    '0127.0.0.1',
    '127.0.0.1.',
    '127.0.0.1..',
    '.127.0.0.1',
  ],
  ...['127..0.1', '127.0.0.1.1', '127.0.0.256', '383.0.0.1', '4294967297', '-127.0.0.1', '+127.0.0.1'],
  ...['127,0,0,1', '0', '0.0', '0x', '00', '1', '127', '127.0x1', 'a.0x7f', 'a.1', 'a.127.0.0.1'],
];

const IPV6 = [
  ...[
    '[::1]',
    '[::1',
    '::1]',
    '::1%lo',
    '::1%25lo',
    '::1%1',
    '::ffff:127.0.0.1%lo',
    '::1/128',
    '::1::',
    '1::2::3',
  ],
  ...[
    '::',
    '0:0:0:0:0:0:0:0',
    '::0.0.0.0',
    '::127.0.0.1',
    '::7f00:1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
  ],
  ...['64:ff9b::7f00:1', '64:ff9b:1::127.0.0.1', '64:ff9b:1:7f00:0:100::', '2002:7f00:1::', '2002:7f00:1::1'],
  ...[
    '2001:0:808:808::80ff:fffe',
    '2001:470::5efe:127.0.0.1',
    '2001:470::200:5efe:7f00:1',
    'fe80::1',
    'fe80::1%lo',
  ],
  ...[
    '::ffff:0.0.0.0',
    '::ffff:0:0',
    '::ffff:127.1',
    '::ffff:0x7f.0.0.1',
    '::ffff:2130706433',
    'ff02::1',
    '::ffff:169.254.169.254',
  ],
  ...['fec0::1', 'fd00:ec2::254', '0:0:0:0:0:0:0:0:1', '0:0:0:0:0:0:1', 'g::1', ':::1', ':1', '1:', '::1.'],
];

const ADDRESSES = [
  ...[
    '0.0.0.0',
    '0.0.0.1',
    '0.255.255.255',
    '169.254.169.254',
    '169.254.0.1',
    '100.100.100.200',
    '168.63.129.16',
  ],
  ...[
    '10.0.0.1',
    '172.16.0.1',
    '192.168.0.1',
    '100.64.0.1',
    '198.18.0.1',
    '192.0.2.1',
    '192.0.0.192',
    '192.88.99.1',
  ],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.254', '255.255.255.255'],
];

const TEXT = [
  ...['', ' ', '.', '..', '*', '*.test', '%', '-', '/', '@', ':', '[]', '[', ']', '\\', '#', '?'],
  ...[
    ' localhost',
    'localhost ',
    '\tlocalhost',
    'localhost\n',
    'localhost\r\nHost: x',
    'local\0host',
    'localhost\0.test',
  ],
  ...[
    '127.0.0.1\0',
    '127.0.0.1\0.test',
    '127.0.0.1 ',
    ' 127.0.0.1',
    '127.0.0.1\n',
    '127.0.0.1%20',
    '127.0.0.1%00',
  ],
  ...[
    'localhost:80',
    '127.0.0.1:80',
    'localhost/',
    'localhost/..',
    'localhost?',
    'localhost#',
    'localhost\\',
    '//localhost',
  ],
  ...[
    'http://localhost',
    'user@localhost',
    'user:password@127.0.0.1',
    'a.test@127.0.0.1',
    '127.0.0.1@a.test',
  ],
  ...[
    '%6cocalhost',
    '%31%32%37.0.0.1',
    '%00localhost',
    'localhost%00',
    'localhost%2e',
    'localhost..',
    '.localhost',
    'a..localhost',
  ],
  ...[
    '-localhost',
    'localhost-',
    'local_host!',
    'local host',
    'localhost,a.test',
    'localhost;',
    "'localhost'",
    '"localhost"',
    '$(localhost)',
  ],
];

const UNICODE = [
  ...[
    'ｌocalhost',
    'localhoſt',
    'ⓛocalhost',
    'local\u00adhost',
    'local\u200bhost',
    'localhost\u3002',
    'a\u3002test',
    '\ufefflocalhost',
  ],
  ...[
    '１２７.0.0.1',
    '①②⑦.0.0.1',
    '127。0。0。1',
    '127\uff0e0\uff0e0\uff0e1',
    '١٢٧.0.0.1',
    '\u202elocalhost',
    'loop.te\u0301st',
    'bücher.test',
  ],
  // Lower case makes ASCII of the Kelvin sign.
  ...['\u212aelvin.test', 'LOOP.TE\u017fT', 'İ.test', '😀.test', '\ud800.test'],
  ...[
    'xn--',
    'xn--a',
    'xn--a.test',
    'www.xn--0.test',
    'xn--.test',
    'xn--bcher-.test',
    'XN--A.test',
    'xn--localhost-',
  ],
];

const LONG = [
  `${'a'.repeat(64)}.test`,
  `${'a.'.repeat(126)}ab`,
  `${'a.'.repeat(130)}test`,
  'a'.repeat(255),
  '1'.repeat(255),
  `${'0'.repeat(200)}127.0.0.1`,
  `${'a'.repeat(100_000)}.test`,
  `${'.'.repeat(10_000)}localhost`,
  `::${'0'.repeat(1000)}1`,
];

/** Hosts that a page may ask for and that lead nowhere, whatever the allow-list says. */
export const SPELLINGS = [...NUMBERS, ...IPV6, ...ADDRESSES, ...TEXT, ...UNICODE, ...LONG];
