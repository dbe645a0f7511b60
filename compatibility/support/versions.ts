import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../', import.meta.url));

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The version that package.json of a folder, or of `compatibility` itself, pins. */
export function pinnedVersion(group: string, name: string): string {
  for (const home of [`${folder}${group}/`, folder]) {
    const { dependencies, devDependencies } = read(`${home}package.json`);
    const range = { ...dependencies, ...devDependencies }[name];
    // `npm:express@4.22.3` installs Express under another name.
    if (range !== undefined) return range.replace(/^npm:.+@/, '');
  }
  throw new Error(`compatibility/${group}/package.json does not name ${name}; add it`);
}

/** The version that is installed. */
export function installedVersion(group: string, name: string): string {
  for (const home of [`${folder}${group}/`, folder]) {
    try {
      return read(`${home}node_modules/${name}/package.json`).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(`${name} is not installed; run npm run test:compatibility -- ${group}`);
}

function read(file: string): Manifest {
  return JSON.parse(readFileSync(file, 'utf8')) as Manifest;
}
