import { addMessage, byId, openWebsocket, showStatus } from '/tour.js';

const form = byId('form');
const warning = byId('warning');

let websocket = null;

const isOpen = () => websocket?.readyState === WebSocket.OPEN;

function warn(text) {
  warning.textContent = '';
  warning.textContent = text;
}

function connect() {
  if (websocket && websocket.readyState !== WebSocket.CLOSED) return warn('You are already connected.');
  warn('');
  websocket = openWebsocket(form.elements.route.value);
  websocket.addEventListener('message', ({ data }) => addMessage(byId('messages'), data));
  showStatus(websocket, byId('status'));
}

function send() {
  if (!isOpen()) return warn('You are not connected. Press Connect first.');
  warn('');
  websocket.send(byId('message').value);
}

function close() {
  if (!isOpen()) return warn('You are not connected.');
  warn('');
  websocket.close();
}

// The index links to /echo/#websocket.
if (location.hash === '#websocket') form.elements.route.value = '/websocket/';
for (const route of form.elements.route) route.addEventListener('change', () => websocket?.close());

byId('connect').addEventListener('click', connect);
byId('close').addEventListener('click', close);
byId('clear').addEventListener('click', () => byId('messages').replaceChildren());
form.addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
