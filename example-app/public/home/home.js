import { connect } from '/dwebsocket/client/index.mjs';
import { byId } from '/tour.js';

// Asks the route that the page shows, over both protocols.
fetch('/clock/')
  .then(async (answer) => (byId('once').textContent = await answer.text()))
  .catch(() => {});

const clock = connect('/clock/', { messages: 'text' });
clock.addEventListener('state', () => {
  if (clock.state === 'waiting') byId('live').textContent = 'the server is away';
});
for await (const time of clock) byId('live').textContent = time;
