import { resolve } from 'node:path';

/** What Rolldown tells of modules. */
interface Graph {
  getModuleInfo(id: string): { importedIds: readonly string[] } | null;
}

interface Group {
  name: string;
  /** The modules, and what they import; not what a group above has. */
  of: string[];
  /** Of that only what these import as well. */
  sharedWith?: string[];
}

const INDEX = 'src/index.ts';

/**
 * Few files for a page without a bundler: each is a request, and only its text names the next ones.
 *
 * @param parts what is loaded when it is needed
 */
export function chunkGroups(parts: string[]) {
  const client = 'src/client/create-client.ts';
  const importer = 'src/p12/open-pkcs12.ts';
  const store = ['src/store/identity-store.ts', 'src/store/verification/passphrase-verification.ts'];
  const enroll = ['src/enroll/authority.ts', 'src/enroll/renew.ts', 'src/enroll/step-ca.ts'];
  const groups: Group[] = [
    {
      name: 'base',
      of: [client, importer, 'src/websocket/events.ts'],
      sharedWith: [...parts, ...store, ...enroll],
    },
    { name: 'create-client', of: [client] },
    { name: 'shared', of: parts, sharedWith: [INDEX] },
    { name: 'client', of: ['src/client/client.ts'] },
    { name: 'identities', of: [INDEX] },
  ];
  return groups.map(({ name, of, sharedWith }, at) => {
    let chosen: Set<string> | undefined;
    const choose = (graph: Graph) => {
      const others = sharedWith && imported(sharedWith, graph);
      return new Set(
        [...imported(of, graph)].filter(id => id !== resolve(INDEX) && (others?.has(id) ?? true)),
      );
    };
    return {
      name(id: string, graph: Graph) {
        chosen ??= choose(graph);
        return chosen.has(id) ? name : null;
      },
      priority: groups.length - at,
    };
  });
}

function imported(roots: string[], graph: Graph): Set<string> {
  const found = new Set(roots.map(root => resolve(root)));
  for (const id of found)
    if (!graph.getModuleInfo(id)) throw new Error(`${id} is not a module of the package`);
  for (const id of found) for (const next of graph.getModuleInfo(id)?.importedIds ?? []) found.add(next);
  return found;
}
