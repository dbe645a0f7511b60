// Shared by all pages of this tour: opens websockets, shows their state, lists messages, and shows the route.

import { showStops } from '/stops.js';

export const byId = (id) => document.getElementById(id);

/** Opens a websocket to a path of this page's server. */
export function openWebsocket(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return new WebSocket(url);
}

/** The websockets that this page has closed. */
const closedHere = new WeakSet();

export function closeWebsocket(websocket) {
  closedHere.add(websocket);
  websocket.close();
}

/** Shows a state in `element`: connecting, open, left, done or lost. */
export function showState(element, state, text) {
  element.dataset.state = state;
  element.textContent = text;
}

/** Shows the state of a websocket in `element` until it has closed. */
export function showStatus(websocket, element) {
  let wasOpen = false;
  showState(element, 'connecting', 'Connecting…');
  websocket.addEventListener('open', () => {
    wasOpen = true;
    showState(element, 'open', 'Connected');
  });
  websocket.addEventListener('close', ({ code }) => showEnd(element, websocket, code, wasOpen));
}

/** Shows how a websocket has ended. */
export function showEnd(element, websocket, code, wasOpen) {
  if (closedHere.has(websocket)) showState(element, 'left', 'Closed by you');
  else if (code === 1000) showState(element, 'done', 'Closed: done (1000)');
  else showState(element, 'lost', `Closed: ${explainClose(code, wasOpen)}`);
}

export function explainClose(code, wasOpen) {
  if (!wasOpen) return 'the server cannot be reached, or refused the handshake';
  const texts = {
    1001: 'the server is shutting down or restarting (1001)',
    1006: 'the connection was lost (1006)',
    1009: 'the message was too large (1009)',
    1011: 'the server had an error (1011)',
    4401: 'logged out (4401)',
  };
  return texts[code] ?? `code ${code}`;
}

/** Adds a message at the top of a list, which keeps the newest hundred. */
export function addMessage(list, text) {
  const item = document.createElement('li');
  const time = document.createElement('time');
  const now = new Date();
  item.append(text, time);
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  list.prepend(item);
  while (list.children.length > 100) list.lastElementChild.remove();
}

/** Appends text to a screen, which keeps its last 20,000 characters and scrolls to the end. */
export function print(screen, text) {
  screen.textContent = (screen.textContent + text).slice(-20_000);
  screen.scrollTop = screen.scrollHeight;
}

/**
 * Connects a page to a path, and handles its status and its Connect and Close buttons, one of which is enabled. Sending
 * without a connection shows a warning, if the page has a place for it.
 */
export function setUpConnection(path, onMessage) {
  const status = document.querySelector('.connection .status');
  const buttons = { connect: byId('connect'), close: byId('close') };
  let websocket = null;

  const connection = {
    onOpen: () => {},
    /** Called with the close code, and whether the websocket was open. */
    onClose: () => {},
    /** Whether the websocket has not closed yet. */
    isBusy: () => websocket !== null && websocket.readyState !== WebSocket.CLOSED,
    isOpen: () => websocket?.readyState === WebSocket.OPEN,
    open() {
      if (connection.isBusy()) return;
      let wasOpen = false;
      websocket = openWebsocket(path);
      websocket.binaryType = 'arraybuffer';
      showStatus(websocket, status);
      switchButtons(buttons.connect, buttons.close);
      websocket.addEventListener('open', () => {
        wasOpen = true;
        connection.onOpen();
      });
      websocket.addEventListener('close', ({ code }) => {
        switchButtons(buttons.close, buttons.connect);
        connection.onClose(code, wasOpen);
      });
      websocket.addEventListener('message', ({ data }) => onMessage(data));
      warn('');
    },
    close() {
      if (connection.isBusy()) closeWebsocket(websocket);
    },
    /** Whether the websocket is open. If it is not, warns what to do first. */
    isReady() {
      const { textContent: connect } = buttons.connect;
      warn(connection.isOpen() ? '' : `You are not connected. Press ${connect} first.`);
      return connection.isOpen();
    },
    /** Sends data; returns whether the websocket was open. */
    send(data) {
      const isReady = connection.isReady();
      if (isReady) websocket.send(data);
      return isReady;
    },
  };

  buttons.connect.form.addEventListener('submit', (event) => {
    event.preventDefault();
    connection.open();
  });
  buttons.close?.addEventListener('click', connection.close);
  switchButtons(buttons.close, buttons.connect);
  return connection;
}

/** Sets up a connection, and opens it at once. */
export function startConnection(path, onMessage) {
  const connection = setUpConnection(path, onMessage);
  connection.open();
  return connection;
}

/** Disables one button and enables another. The focus moves along, so that keyboard users keep it. */
export function switchButtons(from, to) {
  if (!from || !to) return;
  to.disabled = false;
  if (document.activeElement === from) to.focus();
  from.disabled = true;
}

export function warn(text) {
  const warning = byId('warning');
  if (warning) warning.textContent = text;
}

const tokens =
  /(?<comment>\/\/.*|\/\*[^]*?\*\/)|(?<string>'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<number>\b\d[\d_]*\b)|\b(?<keyword>import|from|export|type|const|let|async|await|function|return|for|of|do|while|if|else|try|finally|catch|throw|new|null|undefined|true|false|typeof|interface|void)\b/g;

/** Writes TypeScript into an element, with colours. */
function writeCode(element, code) {
  let end = 0;
  for (const match of code.matchAll(tokens)) {
    const [kind] = Object.entries(match.groups).find(([, text]) => text !== undefined);
    const span = document.createElement('span');
    span.className = kind;
    span.textContent = match[0];
    element.append(code.slice(end, match.index), span);
    end = match.index + match[0].length;
  }
  element.append(code.slice(end));
}

/** Shows a source file in its element: <pre data-source="/source/echo.ts">. */
export async function showSource(element) {
  const { source } = element.dataset;
  // If the server cannot be reached any more, the page works without the source.
  const answer = await fetch(source).catch(() => undefined);
  if (!answer?.ok) return;
  const code = await answer.text();
  // The page may have chosen another source meanwhile.
  if (element.dataset.source !== source) return;
  element.replaceChildren();
  writeCode(element, code);
}

for (const element of document.querySelectorAll('[data-source]')) void showSource(element);
showStops();
