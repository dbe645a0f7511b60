import { byId, print, startConnection } from '/tour.js';

const connection = startConnection('/log/', (data) => print(byId('screen'), data));

// The server sends the last ten lines again.
connection.onOpen = () => byId('screen').replaceChildren();

byId('ask').addEventListener('click', () => fetch('/echo/?message=hello'));
