import { fileURLToPath } from 'node:url';

/** @type {import('next').NextConfig} */
export default {
  // The folder with node_modules. Next.js would take the topmost one with a lock file.
  turbopack: { root: fileURLToPath(new URL('../..', import.meta.url)) },
};
