import { acceptWebsocket } from '../json-websocket.js';
import { sendPage } from '../send-page.js';

const questions = [
  { question: 'Which status answers a WebSocket handshake?', answer: '101' },
  { question: 'Which port does wss:// use by default?', answer: '443' },
  { question: 'Which close code means a normal end?', answer: '1000' },
];

/** Waits for each answer with a time limit: `wait` gives the answer, or null when the time is up. */
export const quiz = acceptWebsocket(async (req, res) => {
  if (!req.isWebsocket()) return sendPage(res, 'quiz');

  const { websocket, query } = req;
  const seconds = 'hard' in query ? 1 : 8;
  for (const { question, answer } of questions) {
    // Any other message than `next` is a late answer.
    while ((await websocket.wait()) !== 'next') if (websocket.isClosed()) return;

    websocket.send({ question, seconds });
    const reply = await websocket.wait(seconds * 1000);
    const verdict = reply === null ? 'late' : reply === answer ? 'right' : 'wrong';
    websocket.send({ verdict, answer });
  }
});
