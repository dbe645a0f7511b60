import { readFileSync } from 'node:fs';

/** A page of docs/, for a test to run what it shows. */
export function readPage(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
}

/** The blocks of code of one language in a page, in order. */
export function blocksOf(page: string, language: string): string[] {
  const fence = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms');
  return [...page.matchAll(fence)].map((match) => match[1] ?? '');
}
