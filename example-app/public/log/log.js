import { keepConnected } from '/reconnect.js';
import { byId, print, warn } from '/tour.js';

const connection = keepConnected('/log/', { messages: 'text' }, (lines) => print(byId('screen'), lines));

// A new connection gets the last ten lines again.
connection.onState = ({ state }) => state === 'open' && byId('screen').replaceChildren();

byId('ask').addEventListener('click', () => {
  // Without a connection, the log would not show the request.
  if (connection.isReady()) fetch('/echo/?message=hello').catch(() => warn('The server cannot be reached.'));
});
