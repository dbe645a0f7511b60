import { stayConnected } from '/chat/stay-connected.js';
import { byId, explainClose, showState, switchButtons, warn } from '/tour.js';

const room = decodeURIComponent(location.pathname.split('/')[2]);
byId('room').textContent = room;
document.title = `${room} · Chat · dwebsocket`;

const messages = byId('messages');
const status = document.querySelector('.status');
const [enter, leave] = [byId('connect'), byId('close')];

// A tab keeps its name in all rooms; two tabs can have different names.
const known = sessionStorage.getItem('name') || null;
const field = byId('name');
field.value = known ?? `Guest ${Math.floor(100 + Math.random() * 900)}`;

/** The name that this page has in the room. */
let name = known;
let people = new Set();
/** The texts that this page has sent, and that have not come back from the room yet. */
let unconfirmed = [];

const connection = stayConnected(makeUrl, receive, showConnection);
if (known === null) switchButtons(leave, enter);
else connection.open();

function makeUrl() {
  return `${location.pathname}?name=${encodeURIComponent(name)}`;
}

function receive(message) {
  if ('text' in message) {
    addItem(makeItem(message));
    if (message.name === name) confirm(message.text);
  } else if ('people' in message) {
    showPeople(message.people);
    // Everything that was said until now is here.
    if (unconfirmed.length > 0) giveBack('The connection was lost');
  } else if ('joined' in message) {
    showPeople([...people, message.joined]);
  } else if ('left' in message) {
    showPeople([...people].filter((each) => each !== message.left));
  } else if (message.complete === false) {
    addItem(makeNote('Messages may be missing here.'));
  } else if (message.sent === 'later') {
    unconfirmed.shift();
    warn('The server cannot reach Redis. Messages wait until it can.');
  } else if (message.sent === false) {
    giveBack('The server cannot reach Redis');
  }
}

function showConnection(state, code, wasOpen) {
  if (state === 'connecting') showState(status, 'connecting', 'Connecting…');
  else if (state === 'open') showState(status, 'open', 'Connected');
  else {
    const next = state === 'lost' ? '. The page will connect again.' : '';
    showState(status, 'lost', `Closed: ${explainClose(code, wasOpen)}${next}`);
  }
  if (state !== 'open') showPeople([]);
  if (state === 'closed') switchButtons(leave, enter);
  else switchButtons(enter, leave);
}

field.addEventListener('input', () => {
  const isBlank = field.value !== '' && field.value.trim() === '';
  field.setCustomValidity(isBlank ? 'Enter a name that is not only spaces.' : '');
  // A person in the room can enter again under another name.
  if (connection.isWanted()) enter.disabled = field.value.trim() === name;
});

field.form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (connection.isWanted() && field.value.trim() === name) return;
  name = field.value.trim();
  sessionStorage.setItem('name', name);
  warn('');
  connection.open();
});

leave.addEventListener('click', () => {
  connection.close();
  showState(status, 'left', 'Closed by you');
  showPeople([]);
  switchButtons(leave, enter);
});

byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('text').value.trim();
  if (connection.send(text)) {
    if (text !== '') unconfirmed.push(text);
    byId('text').value = '';
    warn('');
  } else if (connection.isWanted()) {
    warn('The connection is lost. Say it again when the page is connected.');
  } else {
    warn('You are not connected. Press Enter first.');
  }
});

byId('move').addEventListener('submit', (event) => {
  event.preventDefault();
  location.assign(`/chat/${encodeURIComponent(byId('other').value)}/`);
});

function confirm(text) {
  const at = unconfirmed.indexOf(text);
  if (at !== -1) unconfirmed.splice(at, 1);
}

/** Gives texts back that the room may not have. */
function giveBack(reason) {
  warn(`${reason}, so this may not have been sent: ${unconfirmed.join(' / ')}`);
  byId('text').value ||= unconfirmed.at(-1) ?? '';
  unconfirmed = [];
}

function addItem(item) {
  messages.prepend(item);
  while (messages.children.length > 100) messages.lastElementChild.remove();
}

function makeNote(text) {
  const item = document.createElement('li');
  item.className = 'note';
  item.textContent = text;
  return item;
}

function makeItem({ name, text, at }) {
  const item = document.createElement('li');
  const words = document.createElement('span');
  const who = document.createElement('strong');
  who.textContent = `${name}: `;
  words.append(who, text);
  const time = document.createElement('time');
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString();
  item.append(words, time);
  return item;
}

function showPeople(names) {
  people = new Set(names);
  const count = people.size === 1 ? '1 person' : `${people.size} people`;
  byId('count').textContent = people.size > 0 ? count : '';
  byId('people').replaceChildren(
    ...[...people].sort().map((name) => {
      const item = document.createElement('li');
      item.textContent = name;
      return item;
    }),
  );
}
