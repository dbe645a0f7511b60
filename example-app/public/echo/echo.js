import { showStops } from '/stops.js';
import { addMessage, byId, closeWebsocket, openWebsocket, showSource, showStatus, warn } from '/tour.js';

const form = byId('form');

let websocket = null;

const isOpen = () => websocket?.readyState === WebSocket.OPEN;

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
  closeWebsocket(websocket);
}

const routes = {
  '/echo/': { title: 'Echo', file: 'routes/echo.ts', hash: '' },
  '/websocket/': { title: 'Once', file: 'routes/websocket.ts', hash: '#websocket' },
};

/** Shows the title, the text and the source of the chosen route. */
function showRoute() {
  const chosen = form.elements.route.value;
  const { title, file } = routes[chosen];
  document.title = `${title} · dwebsocket`;
  byId('title').textContent = title;
  byId('place').textContent = title;
  for (const text of document.querySelectorAll('[data-route]')) text.hidden = text.dataset.route !== chosen;
  byId('file').textContent = file;
  byId('file').href = `/source/${file}`;
  byId('code').dataset.source = `/source/${file}`;
  void showSource(byId('code'));
  showStops();
}

/** Closes the websocket of the other route, and shows the chosen one. */
function changeRoute() {
  if (websocket) closeWebsocket(websocket);
  warn('');
  showRoute();
}

/** Chooses the route of the URL. The index and the tour link to /echo/ and to /echo/#websocket. */
function readHash() {
  const linked = Object.keys(routes).find((route) => routes[route].hash === location.hash);
  if (linked === undefined || linked === form.elements.route.value) return;
  form.elements.route.value = linked;
  changeRoute();
}

readHash();
addEventListener('hashchange', () => {
  readHash();
  // The link is at the end of the page, so move the focus to the top.
  if (location.hash === '#websocket') byId('title').focus();
});
for (const route of form.elements.route) {
  route.addEventListener('change', () => {
    history.replaceState(null, '', `/echo/${routes[route.value].hash}`);
    changeRoute();
  });
}

byId('connect').addEventListener('click', connect);
byId('close').addEventListener('click', close);
byId('clear').addEventListener('click', () => byId('messages').replaceChildren());
form.addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
