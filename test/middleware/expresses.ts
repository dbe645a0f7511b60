import express from 'express';
import express4 from 'express4';

/** Both Expresses that people have: `describe.each(EXPRESSES)('on %s', (_name, express) => …)`. */
export const EXPRESSES: readonly (readonly [name: string, express: typeof import('express')])[] = [
  ['Express 5', express],
  ['Express 4', express4],
];
