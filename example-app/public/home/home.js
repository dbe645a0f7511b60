import { byId, openWebsocket } from '/tour.js';

// Asks the route that the page shows, over both protocols.
fetch('/clock/')
  .then(async (answer) => (byId('once').textContent = await answer.text()))
  .catch(() => {});

const websocket = openWebsocket('/clock/');
websocket.addEventListener('message', ({ data }) => (byId('live').textContent = data));
websocket.addEventListener('close', () => (byId('live').textContent = 'closed'));
