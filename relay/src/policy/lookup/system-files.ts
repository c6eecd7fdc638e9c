import { readFile, stat } from 'node:fs/promises';

/** How often a file is looked at, to see whether it has changed. */
const CHECK_AFTER_MS = 5000;

/** A file of the system's resolver, read again when it has changed; one that cannot be read is as an empty one. */
export class SystemFile<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #contents: Promise<T> | undefined;
  #checkedAtMs = 0;
  #modifiedAtMs = Number.NaN;

  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  read(): Promise<T> {
    const nowMs = performance.now();
    if (this.#contents === undefined || nowMs - this.#checkedAtMs > CHECK_AFTER_MS) {
      this.#checkedAtMs = nowMs;
      this.#contents = this.#refresh(this.#contents);
    }
    return this.#contents;
  }

  async #refresh(contents: Promise<T> | undefined): Promise<T> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (contents && mtimeMs === this.#modifiedAtMs) return contents;
      this.#modifiedAtMs = mtimeMs;
      return this.#parse(await readFile(this.#path, 'utf8'));
    } catch {
      this.#modifiedAtMs = Number.NaN;
      return this.#parse('');
    }
  }
}

/** The addresses of each name in a hosts file, in its order. */
export function parseHosts(text: string): Map<string, string[]> {
  const hosts = new Map<string, string[]>();
  for (const [address = '', ...names] of wordsOfLines(text)) {
    for (const name of names) {
      const key = name.toLowerCase().replace(/\.$/, '');
      hosts.set(key, [...(hosts.get(key) ?? []), address]);
    }
  }
  return hosts;
}

/** Which names the system's resolver tries for a short one (resolv.conf(5)). */
export interface SearchRules {
  domains: string[];
  /** A name with fewer dots is first tried within the domains. */
  minDots: number;
}

export function parseResolvConf(text: string): SearchRules {
  const rules: SearchRules = { domains: [], minDots: 1 };
  for (const [keyword, ...values] of wordsOfLines(text)) {
    if (keyword === 'domain') rules.domains = values.slice(0, 1);
    if (keyword === 'search') rules.domains = values;
    if (keyword === 'options') rules.minDots = minDotsOf(values) ?? rules.minDots;
  }
  rules.domains = rules.domains.map(domain => domain.toLowerCase().replace(/\.$/, '')).filter(Boolean);
  return rules;
}

/** The names to ask for, in order, when a short name is meant. */
export function searchedNames(name: string, { domains, minDots }: SearchRules): string[] {
  const within = domains.map(domain => `${name}.${domain}`).filter(each => each.length <= 253);
  const dots = name.split('.').length - 1;
  return dots >= minDots ? [name, ...within] : [...within, name];
}

function minDotsOf(options: string[]): number | undefined {
  const text = options.findLast(option => /^ndots:\d{1,2}$/.test(option));
  return text === undefined ? undefined : Math.min(15, Number(text.slice('ndots:'.length)));
}

function wordsOfLines(text: string): string[][] {
  const lines = text.split('\n').map(line => line.replace(/[#;].*/, '').trim());
  return lines.filter(Boolean).map(line => line.split(/\s+/));
}
