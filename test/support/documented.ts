import { readFileSync } from 'node:fs';

/** A block of code as it stands in a document. */
export interface Block {
  /** What stands behind the fence: `ts`, `nginx`, … */
  language: string;
  /** The heading above it. */
  heading: string;
  text: string;
}

/** The blocks of code of a document (CommonMark's fenced ones), in their order. */
export function blocksOf(document: string): Block[] {
  const markdown = readFileSync(document, 'utf8');
  const pattern = /^#+ (?<heading>.+)$|^```(?<language>\w+)\n(?<text>[\s\S]*?)^```$/gm;
  let heading = '';
  const blocks: Block[] = [];
  for (const { groups = {} } of markdown.matchAll(pattern)) {
    if (groups.heading !== undefined) heading = groups.heading;
    else blocks.push({ language: groups.language ?? '', heading, text: groups.text ?? '' });
  }
  return blocks;
}

/** The text of the one block that `isWanted`. */
export function blockOf(document: string, isWanted: (block: Block) => boolean): string {
  const [block, second] = blocksOf(document).filter(isWanted);
  if (!block || second) throw new Error(`${document} has ${block ? 'several' : 'no'} such blocks of code`);
  return block.text;
}

/** The text of the block of TypeScript that exports a name. */
export function exampleText(document: string, name: string): string {
  const declaration = new RegExp(`^export (async )?(function\\*?|const|class) ${name}\\b`, 'm');
  return blockOf(document, ({ language, text }) => language === 'ts' && declaration.test(text));
}

/** Runs an example out of a document, by a name that it exports; `browser-mtls` is the sources. */
export function documented<Exports>(document: string, name: string): Promise<Exports> {
  return import(/* @vite-ignore */ `virtual:documented/${document}/${name}`);
}
