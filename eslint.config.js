import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import globals from 'globals';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['**/dist', '**/node_modules', '**/.page', 'coverage', 'docs/reference']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  { files: ['**/*.{js,mjs,cjs}'], languageOptions: { globals: globals.node } },
  {
    files: ['example-app/public/**', 'compatibility/pages/programs/**'],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A number in a text reads as everybody expects; objects, null and undefined do not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `while (true)` is how a loop without an end is written.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // `return res.end();` is how a handler of Express says that it is done.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // Node's types name a class where whatever behaves like it will do: a TLS socket, one end of a duplex pair.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // A type parameter that stands there once can still be what gives a result its type.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // `_req` says that an argument is there only for the one behind it.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  // Their packages are many, and installed only to run them.
  { files: ['libraries/**/*.ts', 'compatibility/**/*.ts'], extends: [tseslint.configs.disableTypeChecked] },
  {
    files: ['src/**'],
    rules: {
      'no-console': 'error',
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          name: 'express',
          allowTypeImports: true,
          message: 'Express is the user’s; only its types may be named.',
        },
      ],
    },
  },
  {
    files: ['src/routes/types.ts', 'src/websocket/library-types.ts'],
    rules: {
      // Express's own types are made with `any`, and a directive must hold with types of others and without them.
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/ban-ts-comment': ['error', { 'ts-ignore': 'allow-with-description' }],
    },
  },
  {
    files: ['test/**/*.ts', 'example-app/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      // A handler is `async` because handlers are; where it has nothing to await, that is the point of the test.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // A test that is wrong about what is there fails, and that is its purpose.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `() => {}` is the handler that does nothing.
      '@typescript-eslint/no-empty-function': 'off',
      // `createServer(async (req, res) => …)`: a rejection fails the run, since nobody handles it.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      // `const { page, close } = useBrowser()`: helpers hand out functions that need no `this`.
      '@typescript-eslint/unbound-method': 'off',
      // The characters of a test's own text are known.
      '@typescript-eslint/no-misused-spread': 'off',
      // supertest's `body` and `JSON.parse` are `any`; the assertion is the check.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      'no-restricted-imports': [
        'error',
        {
          paths: [
            {
              name: 'node:timers/promises',
              importNames: ['setTimeout'],
              message: 'Await the event, not the clock.',
            },
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        ...['test', 'it', 'describe'].flatMap((object) =>
          ['only', 'skip', 'todo'].map((property) => ({
            object,
            property,
            message: 'A test runs, or says with runIf(requirement(…)) what it misses.',
          })),
        ),
      ],
    },
  },
  // The benchmark has its own dependencies, and what is read by the runners of others has none here: without their
  // types, the rules that ask for types can only guess.
  {
    files: ['bench/**/*.ts', 'test/types/**', 'src/express.ts', '**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
  },
);
