import { byId, print, startConnection, warn } from '/tour.js';

const connection = startConnection('/log/', (data) => print(byId('screen'), data));

// The server sends the last ten lines again.
connection.onOpen = () => byId('screen').replaceChildren();

byId('ask').addEventListener('click', () => {
  // Closed, the log would show nothing of it.
  if (connection.isReady()) fetch('/echo/?message=hello').catch(() => warn('The server cannot be reached.'));
});
