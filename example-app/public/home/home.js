import { byId, openWebsocket } from '/tour.js';

// The route beside it, asked in both ways.
fetch('/clock/')
  .then(async (answer) => (byId('once').textContent = await answer.text()))
  .catch(() => {});

const websocket = openWebsocket('/clock/');
websocket.addEventListener('message', ({ data }) => (byId('live').textContent = data));
websocket.addEventListener('close', () => (byId('live').textContent = 'closed'));
