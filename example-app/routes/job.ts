import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { acceptWebsocket } from '../json-websocket.js';
import { sendPage } from '../send-page.js';

const steps = 30;

/** Sends the progress of a job, a message after each step. The websocket closes when the handler returns. */
export const job = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'job');

  for (let step = 1; step <= steps && !req.websocket.isClosed(); step++) {
    await work(step);
    req.websocket.send({ step, steps });
  }
});

/** Uses the processor for a while, in another thread. */
const work = (step: number) => promisify(pbkdf2)('password', `salt ${step}`, 100_000, 32, 'sha256');
