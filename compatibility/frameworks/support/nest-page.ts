import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { writePage } from '../../support/page.js';

/** The compiled code of docs/nestjs.md. */
export const nestFolder = fileURLToPath(new URL('../.page/nestjs/', import.meta.url));

/** What the command line of NestJS writes to tsconfig.json, in strict mode. */
const OPTIONS: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  strict: true,
  isolatedModules: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  skipLibCheck: true,
  types: ['node'],
};

/** How the page says that a gateway of Socket.IO differs from one of ws. */
const FOR_SOCKET_IO: readonly (readonly [before: string | RegExp, after: string])[] = [
  [/^import \{ WsAdapter \}.*\n/m, ''],
  [/^app\.useWebSocketAdapter.*\n/m, ''],
  ["@WebSocketGateway({ path: '/gateway' })", '@WebSocketGateway()'],
  ["!req.url?.startsWith('/gateway')", "!req.url?.startsWith('/socket.io/')"],
];

/**
 * Writes and compiles the code of docs/nestjs.md, with the types of the package as users get them. `gateways-io` is the
 * program of gateways for Socket.IO.
 *
 * @returns What TypeScript finds wrong, by file.
 */
export function compileNestPage(): string[] {
  const names = writePage('docs/nestjs.md', nestFolder);
  let gateways = readFileSync(`${nestFolder}gateways.ts`, 'utf8');
  for (const [before, after] of FOR_SOCKET_IO) {
    const changed = gateways.replace(before, after);
    if (changed === gateways) throw new Error(`gateways.ts has no ${String(before)}; change FOR_SOCKET_IO`);
    gateways = changed;
  }
  writeFileSync(`${nestFolder}gateways-io.ts`, gateways);
  const files = [...names, 'gateways-io.ts'].map((name) => nestFolder + name);
  const program = ts.createProgram(files, OPTIONS);
  const { diagnostics } = program.emit();
  return [...ts.getPreEmitDiagnostics(program), ...diagnostics].map(({ file, start = 0, messageText }) => {
    const line = file?.getLineAndCharacterOfPosition(start).line ?? 0;
    const name = file?.fileName.replace(nestFolder, '') ?? '';
    return `${name}:${line + 1}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
