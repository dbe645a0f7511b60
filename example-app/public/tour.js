// What the pages of this tour share: opening a websocket, saying how it is, listing messages, showing the route.

export const byId = (id) => document.getElementById(id);

/** Opens a websocket to a path of the server that this page came from. */
export function openWebsocket(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  return new WebSocket(url);
}

/** Shows in `element` what a websocket is doing, until it has closed. */
export function showStatus(websocket, element) {
  const show = (state, text) => {
    element.dataset.state = state;
    element.textContent = text;
  };
  let wasOpen = false;
  show('connecting', 'Connecting…');
  websocket.addEventListener('open', () => {
    wasOpen = true;
    show('open', 'Connected');
  });
  websocket.addEventListener('close', ({ code }) => show('closed', `Closed: ${explainClose(code, wasOpen)}`));
}

function explainClose(code, wasOpen) {
  if (!wasOpen) return 'the server cannot be reached, or refused';
  const texts = {
    1000: 'done (1000)',
    1001: 'the server is shutting down or restarting (1001)',
    1005: 'done',
    1006: 'the connection was lost (1006)',
    1009: 'the message was too large (1009)',
    1011: 'the server had an error (1011)',
    4001: 'logged out (4001)',
  };
  return texts[code] ?? `code ${code}`;
}

/** Puts a message on top of a list, which keeps the newest hundred. */
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

/** Appends text to a screen, which keeps its last 20,000 characters and shows the end. */
export function print(screen, text) {
  screen.textContent = (screen.textContent + text).slice(-20_000);
  screen.scrollTop = screen.scrollHeight;
}

/**
 * Connects a page to a path: its status, its Connect and its Close button. What is sent while it is not connected gets
 * a warning, where the page has room for one.
 */
export function setUpConnection(path, onMessage) {
  const status = document.querySelector('.connection .status');
  let websocket = null;

  const connection = {
    onOpen: () => {},
    onClose: () => {},
    open() {
      if (websocket && websocket.readyState !== WebSocket.CLOSED) return;
      websocket = openWebsocket(path);
      websocket.binaryType = 'arraybuffer';
      websocket.addEventListener('open', () => connection.onOpen());
      websocket.addEventListener('close', () => connection.onClose());
      websocket.addEventListener('message', ({ data }) => onMessage(data));
      showStatus(websocket, status);
      warn('');
    },
    /** Says whether it went out. */
    send(data) {
      const isOpen = websocket?.readyState === WebSocket.OPEN;
      if (isOpen) websocket.send(data);
      warn(isOpen ? '' : 'You are not connected. Press Connect first.');
      return isOpen;
    },
  };

  byId('connect').form.addEventListener('submit', (event) => {
    event.preventDefault();
    connection.open();
  });
  byId('close')?.addEventListener('click', () => websocket?.close());
  return connection;
}

/** The same, and connects at once. */
export function startConnection(path, onMessage) {
  const connection = setUpConnection(path, onMessage);
  connection.open();
  return connection;
}

function warn(text) {
  const warning = byId('warning');
  if (warning) warning.textContent = text;
}

const tokens =
  /(?<comment>\/\/.*|\/\*[^]*?\*\/)|(?<string>'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|(?<number>\b\d[\d_]*\b)|\b(?<keyword>import|from|export|type|const|let|async|await|function|return|for|of|while|if|else|try|finally|catch|throw|new|null|undefined|true|false|typeof|interface|void)\b/g;

/** Writes TypeScript into an element, in a few colours. */
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

/** <pre data-source="/source/echo.ts"> shows that file. */
async function showSource(element) {
  const answer = await fetch(element.dataset.source);
  if (answer.ok) writeCode(element, await answer.text());
}

for (const element of document.querySelectorAll('[data-source]')) void showSource(element);
