import { byId, print, startConnection } from '/tour.js';

const screen = byId('screen');
const line = byId('line');

const connection = startConnection('/shell/', (data) => print(screen, data));

// Each connection starts a new program.
connection.onOpen = () => screen.textContent && print(screen, '\n──── a new program ────\n');

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!connection.send(line.value)) return;
  print(screen, `${line.value}\n`);
  line.value = '';
});
