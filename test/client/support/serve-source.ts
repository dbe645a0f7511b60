import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Router } from 'express';
import ts from 'typescript';

const src = fileURLToPath(new URL('../../../src/', import.meta.url));

/** Serves the source of the client as JavaScript, for pages: `import { connect } from '/src/client/index.js'`. */
export function serveSource(): Router {
  const router = Router();
  router.get(/^\/src\/((?:client|shared)\/[\w-]+)\.js$/, (req, res) => {
    const source = readFileSync(`${src}${req.params[0]}.ts`, 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    res.type('js').send(outputText);
  });
  return router;
}
