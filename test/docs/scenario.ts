import { expect, test } from 'vitest';
import { readDocument, type Block, type Document } from './document.js';
import { runBlock, type Run } from './run-block.js';

/** A document whose code is run by the tests of a file, each piece by name: the heading that it stands under. */
export interface Runner {
  /** Runs the TypeScript (or JavaScript) under a heading; where there are several pieces, the one at `index`. */
  run(anchor: string, index?: number, language?: 'ts' | 'js'): Promise<Run>;
  /** The code under a heading in another language, for those who run it themselves. */
  find(anchor: string, language: string, index?: number): Block;
}

/** Opens a document for the tests of a file, and adds the test that all of its TypeScript was run. To be called last. */
export function openDocument(path: string): Runner & { testCompleteness(): void } {
  const document = readDocument(path);
  const run = new Set<Block>();
  const find = (anchor: string, language: string, index = 0): Block => {
    const block = blocksUnder(document, anchor, language)[index];
    if (block === undefined) {
      throw new Error(`${path} has no ${language} number ${index} under #${anchor}`);
    }
    return block;
  };
  return {
    find,
    run: (anchor, index, language = 'ts') => {
      const block = find(anchor, language, index);
      run.add(block);
      return runBlock(block);
    },
    testCompleteness: () =>
      test(`all TypeScript of ${path} was run`, () => {
        const left = document.blocks.filter((block) => block.language === 'ts' && !run.has(block));
        expect(left.map(({ line, anchor }) => `${path}:${line} #${anchor}`)).toEqual([]);
      }),
  };
}

function blocksUnder(document: Document, anchor: string, language: string): Block[] {
  return document.blocks.filter((block) => block.anchor === anchor && block.language === language);
}
