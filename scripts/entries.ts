import { readFileSync } from 'node:fs';

export interface Entry {
  /** As it is imported: `dwebsocket/groups`. */
  readonly specifier: string;
  /** Its file in `src` and `dist`, without extension: `groups/index`. */
  readonly file: string;
}

/** The entry points of the package, as package.json exports them. */
export function readEntries(): Entry[] {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { name, exports } = JSON.parse(text) as {
    name: string;
    exports: Record<string, string | { require: { default: string } }>;
  };
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []; // package.json itself
    const file = /^\.\/dist\/(.+)\.js$/.exec(target.require.default)?.[1];
    if (file === undefined) throw new Error(`${target.require.default} is not ./dist/….js`);
    return [{ specifier: name + path.slice(1), file }];
  });
}
