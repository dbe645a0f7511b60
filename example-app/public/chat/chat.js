import { connect } from '/dwebsocket/client/index.mjs';
import { followState } from '/reconnect.js';
import { byId, closeWebsocket, switchButtons, warn } from '/tour.js';

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
/** The texts that a lost connection had taken: the room may not have them. */
let doubtful = [];
/** The id of the last message. When the visitor enters again, the page goes on there. */
let since = '';
let socket;

const isWanted = () => socket?.isClosed() === false;

if (known === null) switchButtons(leave, enter);
else void connectToRoom();

/** Connects, and reconnects until the visitor leaves. The client resumes after the last message that it has received. */
async function connectToRoom() {
  socket?.close();
  const makeUrl = () => `?${new URLSearchParams({ name, since })}`;
  const own = (socket = connect(makeUrl, { messages: 'json', stamp: 'id', welcome }));
  followState(own, status, (wasOpen) => own === socket && showConnection(wasOpen));
  for await (const message of own) receive(message);
}

function welcome({ complete }) {
  if (!complete) addItem(makeNote('Messages may be missing here.'));
}

function receive(message) {
  if ('text' in message) {
    since = message.id;
    addItem(makeItem(message));
    if (message.name === name) confirm(message.text);
  } else if ('people' in message) {
    showPeople(message.people);
    // Everything that was said until now is here.
    giveBack('The connection was lost', doubtful);
  } else if ('joined' in message) {
    showPeople([...people, message.joined]);
  } else if ('left' in message) {
    showPeople([...people].filter((each) => each !== message.left));
  } else if (message.sent === 'later') {
    unconfirmed.shift();
    warn('The server cannot reach Redis. Messages wait until it can.');
  } else if (message.sent === false) {
    giveBack('The server cannot reach Redis', unconfirmed);
  }
}

function showConnection(wasOpen) {
  if (wasOpen) doubtful.push(...unconfirmed.splice(0));
  if (socket.state === 'open') warn('');
  else showPeople([]);
  if (isWanted()) switchButtons(enter, leave);
  else switchButtons(leave, enter);
}

field.addEventListener('input', () => {
  const isBlank = field.value !== '' && field.value.trim() === '';
  field.setCustomValidity(isBlank ? 'Enter a name that is not only spaces.' : '');
  // A person in the room can enter again under another name.
  if (isWanted()) enter.disabled = field.value.trim() === name;
});

field.form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (isWanted() && field.value.trim() === name) return;
  name = field.value.trim();
  sessionStorage.setItem('name', name);
  warn('');
  void connectToRoom();
});

leave.addEventListener('click', () => closeWebsocket(socket));

byId('say').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = byId('text').value.trim();
  if (!isWanted()) return warn('You are not connected. Press Enter first.');
  byId('text').value = '';
  if (text === '') return;
  warn(socket.state === 'open' ? '' : 'The connection is lost. The page sends this when it is back.');
  unconfirmed.push(text);
  // False if the visitor leaves first, or if the client keeps too much.
  if (!(await socket.send(text))) giveBack('The page is not connected', unconfirmed);
});

byId('move').addEventListener('submit', (event) => {
  event.preventDefault();
  location.assign(`/chat/${encodeURIComponent(byId('other').value)}/`);
});

function confirm(text) {
  for (const texts of [doubtful, unconfirmed]) {
    const at = texts.indexOf(text);
    if (at !== -1) return void texts.splice(at, 1);
  }
}

/** Gives texts back that the room may not have. */
function giveBack(reason, texts) {
  if (texts.length === 0) return;
  warn(`${reason}, so this may not have been sent: ${texts.join(' / ')}`);
  byId('text').value ||= texts.at(-1) ?? '';
  texts.length = 0;
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
