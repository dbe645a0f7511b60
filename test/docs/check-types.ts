import ts from 'typescript';
import { root, type Block } from './document.js';
import { readNames } from './names.js';
import { createReader, IMPORTED } from './reader.js';

/** What TypeScript with `strict` says of pieces of code, each as a file of its own beside the reader's, all in one program. */
export function checkTypes(blocks: readonly Block[]): string[] {
  const files = new Map(blocks.map((block, i) => [`${root}test/docs/block-${i}.ts`, block]));
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      // Stricter than `strict` is a matter of taste.
      noImplicitReturns: false,
      noUncheckedIndexedAccess: false,
      exactOptionalPropertyTypes: false,
      verbatimModuleSyntax: false,
    },
    root,
  );
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists } = host;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => {
    const block = files.get(path);
    return block === undefined ? readFile(path) : prelude(block) + block.code;
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

/** One line that declares what the reader has. */
function prelude({ code }: Block): string {
  const { free } = readNames(code);
  const isFree = (name: string) => free.has(name);
  const own = readersNames.filter(isFree);
  const [fromExpress, fromUs] = [IMPORTED.express.filter(isFree), IMPORTED.dwebsocket.filter(isFree)];
  return [
    'export {};',
    fromExpress.length > 0 ? "import express from 'express';" : '',
    fromUs.length > 0 ? `import { ${fromUs.join(', ')} } from 'dwebsocket';` : '',
    own.length > 0
      ? `import { createReader } from './reader.js'; const { ${own.join(', ')} } = createReader();`
      : '',
    '\n',
  ].join(' ');
}
