/** What the plugin needs to know of a file. */
interface Built {
  type: string;
  code?: string;
  imports?: string[];
}

/** What V8 takes as a request to compile every function of a file while it is received, and not at its first call. */
const COMPILE_HINT = '//# allFunctionsCalledOnLoad\n';

/**
 * Helps pages without a bundler to start.
 *
 * - An entry imports each file that is needed with it by itself: a browser asks for all of them at once.
 * - Chunks of which a page calls most functions are compiled while they are received.
 *
 * @param options `entry`: its file; `called`: files of such chunks
 */
export function earlyChunks({ entry, called }: { entry: string; called: string[] }) {
  return {
    name: 'early-chunks',
    apply: 'build' as const,
    generateBundle(_: object, bundle: Record<string, Built>): void {
      const main = fileOf(bundle, entry);
      const needed = new Set(main.imports);
      for (const file of needed) for (const next of bundle[file]?.imports ?? []) needed.add(next);
      for (const file of main.imports ?? []) needed.delete(file);
      main.code = [...needed].map(file => `import "./${file}";\n`).join('') + main.code;
      for (const file of called) {
        const chunk = fileOf(bundle, file);
        chunk.code = COMPILE_HINT + chunk.code;
      }
    },
  };
}

function fileOf(bundle: Record<string, Built>, file: string): Built {
  const found = bundle[file];
  if (found?.code === undefined) throw new Error(`${file} is not built`);
  return found;
}
