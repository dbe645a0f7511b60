import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { expect, test } from 'vitest';

const path = fileURLToPath(new URL('./floating-promises.ts', import.meta.url));

const eslint = new ESLint({
  cwd: fileURLToPath(new URL('../..', import.meta.url)),
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ['**/*.ts'],
      languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
      plugins: { '@typescript-eslint': tseslint.plugin as never },
      rules: {
        '@typescript-eslint/no-floating-promises': 'error',
        '@typescript-eslint/no-misused-promises': 'error',
        '@typescript-eslint/await-thenable': 'error',
        '@typescript-eslint/strict-void-return': 'error',
      },
    },
  ],
});

test(
  'typed lint rules are quiet on send and close, and speak where somebody must wait',
  { timeout: 180_000 },
  async () => {
    const lines = readFileSync(path, 'utf8').split('\n');
    const [result] = await eslint.lintFiles(path);
    const told = result!.messages.map(
      ({ ruleId, line }) => `${ruleId!.split('/')[1]!}: ${lines[line - 1]!.trim()}`,
    );
    expect(told).toEqual([
      "no-floating-promises: connect(app, '/');",
      'no-floating-promises: closeWebsockets(app.listen());',
      'no-floating-promises: req.websocket.wait();',
      'no-floating-promises: req.websocket.sleep(1);',
    ]);
  },
);
