import type { RequestHandler } from 'express';
import { sendPage } from '../send-page.js';

/** An ordinary page of the app: the index of this tour. */
export const home: RequestHandler = (_req, res) => {
  sendPage(res, 'home');
};
