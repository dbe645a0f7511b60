import { readFileSync } from 'node:fs';

export interface Entry {
  /** The name that users import: `dwebsocket/groups`. */
  readonly specifier: string;
  /** Its file in `src` and `dist`, without extension: `groups/index`. */
  readonly file: string;
}

/** Reads the entry points of the package from `exports` of package.json. */
export function readEntries(): Entry[] {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  const { name, exports } = JSON.parse(text) as {
    name: string;
    exports: Record<string, string | { require: { default: string } }>;
  };
  return Object.entries(exports).flatMap(([path, target]) => {
    if (typeof target === 'string') return []; // package.json itself
    const file = /^\.\/dist\/(.+)\.js$/.exec(target.require.default)?.[1];
    if (file === undefined)
      throw new Error(`package.json exports ${target.require.default}; it must be like ./dist/….js`);
    return [{ specifier: name + path.slice(1), file }];
  });
}
