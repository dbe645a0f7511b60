import ts from 'typescript';
import { root, type Block } from './document.js';
import { readNames } from './names.js';
import { createReader, IMPORTED } from './reader.js';

/** Settings of readers' projects that differ most; `scripts/check-types.ts` tries the rest, in each TypeScript. */
export const SETTINGS = {
  /** From TypeScript 5.9 on, but for what has nothing to do with types. */
  'what tsc --init writes': {
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUncheckedSideEffectImports: true,
    moduleDetection: 'force',
    types: [],
  },
  'without strict': { strict: false },
};

/** What TypeScript says of pieces of code, each as a file of its own beside the reader's, all in one program. */
export function checkTypes(blocks: readonly Block[], settings: object): string[] {
  const files = new Map(blocks.map((block, i) => [`${root}test/docs/block-${i}.ts`, block]));
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: { paths: object } };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      target: 'esnext',
      module: 'nodenext',
      skipLibCheck: true,
      noEmit: true,
      // The package is what stands in src.
      paths: config.compilerOptions.paths,
      ...settings,
    },
    root,
  );
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => {
    const block = files.get(path);
    return block === undefined ? readFile(path) : asFile(block);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files].flatMap(([path, block]) => {
    const source = program.getSourceFile(path);
    const diagnostics = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    return diagnostics.map(({ start = 0, messageText }) => {
      // The prelude is a line of its own.
      const line = (source?.getLineAndCharacterOfPosition(start).line ?? 0) - 1 + block.line;
      return `${block.path}:${line}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  });
}

const readersNames = Object.keys(createReader());

/** A piece of code as a file that can be compiled: behind one line that declares what the reader has. */
export function asFile({ code }: Block): string {
  const { free } = readNames(code);
  const isFree = (name: string) => free.has(name);
  const own = readersNames.filter(isFree);
  const [fromExpress, fromUs] = [IMPORTED.express.filter(isFree), IMPORTED.dwebsocket.filter(isFree)];
  const prelude = [
    'export {};',
    fromExpress.length > 0 ? "import express from 'express';" : '',
    fromUs.length > 0 ? `import { ${fromUs.join(', ')} } from 'dwebsocket';` : '',
    own.length > 0
      ? `import { createReader } from './reader.js'; const { ${own.join(', ')} } = createReader();`
      : '',
  ];
  return `${prelude.join(' ')}\n${code}`;
}
