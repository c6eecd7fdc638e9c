import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAst } from 'vite';

/** A message in the sources, with `…` for what is filled in. */
export interface ThrownMessage {
  /** `file:line`. */
  place: string;
  type: 'MtlsError' | 'TypeError';
  text: string;
}

interface Node {
  type: string;
  start: number;
  [key: string]: unknown;
}

/** Where the message stands among the arguments. */
const POSITIONS = { MtlsError: 1, TypeError: 0 };

/** The messages of all errors that the sources of these folders make with `new`. */
export function thrownMessages(folders: readonly string[]): ThrownMessage[] {
  return folders.flatMap(folder =>
    (readdirSync(folder, { recursive: true }) as string[])
      .filter(name => name.endsWith('.ts'))
      .flatMap(name => messagesOf(join(folder, name))),
  );
}

function messagesOf(file: string): ThrownMessage[] {
  const source = readFileSync(file, 'utf8');
  const nodes = [...nodesOf(parseAst(source, { lang: 'ts' }) as unknown as Node)];
  const constants = nodes.filter(({ type }) => type === 'VariableDeclarator');
  const valuesOf = (name: string) =>
    constants.filter(it => (it.id as { name?: string }).name === name).map(it => it.init as Node);
  return nodes.flatMap(node => {
    const type = (node.callee as { name?: string } | undefined)?.name as ThrownMessage['type'];
    if (node.type !== 'NewExpression' || !(type in POSITIONS)) return [];
    const argument = (node.arguments as Node[])[POSITIONS[type]];
    const line = source.slice(0, node.start).split('\n').length;
    return textsOf(argument, valuesOf).map(text => ({ place: `${file}:${line}`, type, text }));
  });
}

function* nodesOf(value: unknown): Generator<Node> {
  if (Array.isArray(value)) for (const item of value) yield* nodesOf(item);
  else if (typeof value === 'object' && value !== null) {
    if (typeof (value as Node).type === 'string') yield value as Node;
    for (const child of Object.values(value)) yield* nodesOf(child);
  }
}

const FILLED_IN = '…';

/** The texts that an expression may become. */
function textsOf(node: Node | undefined, valuesOf: (name: string) => Node[]): string[] {
  if (!node) return [];
  const inner = (it: unknown) => textsOf(it as Node, valuesOf);
  switch (node.type) {
    case 'Literal':
      return [String(node.value)];
    case 'TemplateLiteral':
      return [templateText(node)];
    case 'BinaryExpression':
      return inner(node.left).flatMap(left => inner(node.right).map(right => left + right));
    case 'ConditionalExpression':
      return [...inner(node.consequent), ...inner(node.alternate)];
    case 'LogicalExpression':
      return [...inner(node.left), ...inner(node.right)];
    case 'Identifier': {
      const values = valuesOf(node.name as string);
      return values.length > 0 ? values.flatMap(inner) : [FILLED_IN];
    }
    default:
      return [FILLED_IN];
  }
}

function templateText({ quasis }: Node): string {
  return (quasis as { value: { cooked: string } }[]).map(it => it.value.cooked).join(FILLED_IN);
}
