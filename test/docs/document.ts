import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder that the documents' paths start from. */
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** A fenced piece of code in a document. */
export interface Block {
  /** The document's path from the root: `docs/porting.md`. */
  readonly path: string;
  /** The line of its first line of code, from 1. */
  readonly line: number;
  /** What stands behind the fence: `ts`, `sh`, … */
  readonly language: string;
  readonly code: string;
  /** The anchor of the heading that it stands under. */
  readonly anchor: string;
}

export interface Document {
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
  /** What a link to a place in it can name. */
  readonly anchors: ReadonlySet<string>;
  /** The targets of its links and pictures, with the line of each. */
  readonly links: readonly { readonly target: string; readonly line: number }[];
}

/** Pages with TypeScript for packages that are not installed here. `compatibility` compiles and runs it. */
export const COMPILED_ELSEWHERE: readonly string[] = ['docs/nestjs.md'];

/** All documents: those beside package.json, and those in docs/. */
export function readDocuments(): Document[] {
  const names = readdirSync(root).concat(readdirSync(`${root}/docs`).map((name) => `docs/${name}`));
  return names
    .filter((name) => name.endsWith('.md'))
    .sort()
    .map(readDocument);
}

const FENCE = /^(\s*)(`{3,})(\w*)\s*$/;
const HEADING = /^#{1,6}\s+(.+?)\s*$/;
const LINK = /\]\(<?([^\s)>]+)>?(?:\s+"[^"]*")?\)|<(?:a|img)\s[^>]*(?:href|src)="([^"]+)"/g;

export function readDocument(path: string): Document {
  const text = readFileSync(root + path, 'utf8');
  const lines = text.split('\n');
  const blocks: Block[] = [];
  const anchors = new Set<string>();
  const links: { target: string; line: number }[] = [];
  let anchor = '';
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? '';
    const [, indent, fence, language] = FENCE.exec(line) ?? [];
    if (indent !== undefined && fence !== undefined && language !== undefined) {
      const start = i + 1;
      while (++i < lines.length && lines[i]?.trim() !== fence);
      if (i === lines.length) throw new Error(`${path}:${start}: this block of code has no end`);
      const code = lines.slice(start, i).map((codeLine) => codeLine.slice(indent.length));
      blocks.push({ path, line: start + 1, language, code: code.join('\n'), anchor });
      continue;
    }
    const [, heading] = HEADING.exec(line) ?? [];
    if (heading !== undefined) anchors.add((anchor = freeAnchor(heading, anchors)));
    for (const [, markdown, html] of withoutCode(line).matchAll(LINK)) {
      links.push({ target: markdown ?? html ?? '', line: i + 1 });
    }
  }
  return { path, text, blocks, anchors, links };
}

/** GitHub's name for the place of a heading. */
function freeAnchor(heading: string, taken: ReadonlySet<string>): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  const name = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
    .replace(/ /g, '-');
  let free = name;
  for (let count = 1; taken.has(free); count++) free = `${name}-${count}`;
  return free;
}

function withoutCode(line: string): string {
  return line.replace(/(`+)(?:(?!\1).)+\1/g, '``');
}
