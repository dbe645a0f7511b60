import type { RequestHandler } from 'express';
import { sendPage } from '../send-page.js';

/** Serves the index of this tour, an ordinary page. */
export const home: RequestHandler = (_req, res) => {
  sendPage(res, 'home');
};
