import { byId, print, startConnection, warn } from '/tour.js';

const connection = startConnection('/log/', (data) => print(byId('screen'), data));

// A new connection gets the last ten lines again.
connection.onOpen = () => byId('screen').replaceChildren();

byId('ask').addEventListener('click', () => {
  // Without a connection, the log would not show the request.
  if (connection.isReady()) fetch('/echo/?message=hello').catch(() => warn('The server cannot be reached.'));
});
