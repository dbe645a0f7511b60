import { byId, startConnection, setUpConnection } from '/tour.js';

const room = decodeURIComponent(location.pathname.split('/')[2]);
const messages = byId('messages');
byId('room').textContent = room;
document.title = `${room} · Chat · dwebsocket`;

// A tab keeps its name in all rooms; two tabs can have different names.
const known = sessionStorage.getItem('name') || null;
const field = byId('name');
field.value = known ?? `Guest ${Math.floor(100 + Math.random() * 900)}`;

const connect = known === null ? setUpConnection : startConnection;
const connection = connect(location.pathname, (data) => {
  const { history = [], message, people } = JSON.parse(data);
  // A message that was sent while we entered can arrive alone and in the history.
  if (message && !isShown(message)) messages.prepend(makeItem(message));
  for (const older of history.reverse()) if (!isShown(older)) messages.append(makeItem(older));
  while (messages.children.length > 100) messages.lastElementChild.remove();
  if (people) showPeople(people);
});

/** The name that this page has sent, or will send. */
let name = known;
let isRenaming = false;

connection.onOpen = () => {
  name = field.value.trim();
  sessionStorage.setItem('name', name);
  messages.replaceChildren();
  connection.send(JSON.stringify(name));
};

connection.onClose = () => {
  showPeople([]);
  if (isRenaming) connection.open();
  isRenaming = false;
};

field.addEventListener('input', () => {
  const isBlank = field.value !== '' && field.value.trim() === '';
  field.setCustomValidity(isBlank ? 'Enter a name that is not only spaces.' : '');
  // A person in the room can enter again under another name.
  if (connection.isOpen()) byId('connect').disabled = field.value.trim() === name;
});

field.form.addEventListener('submit', () => {
  if (!connection.isOpen() || field.value.trim() === name) return;
  isRenaming = true;
  connection.close();
});

function isShown({ id }) {
  return [...messages.children].some((item) => item.dataset.id === id);
}

function makeItem({ id, name, text, at }) {
  const item = document.createElement('li');
  item.dataset.id = id;
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
  const count = names.length === 1 ? '1 person' : `${names.length} people`;
  byId('count').textContent = names.length > 0 ? count : '';
  byId('people').replaceChildren(
    ...names.map((name) => {
      const item = document.createElement('li');
      item.textContent = name;
      return item;
    }),
  );
}

byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  if (connection.send(JSON.stringify(byId('text').value))) byId('text').value = '';
});

byId('move').addEventListener('submit', (event) => {
  event.preventDefault();
  location.assign(`/chat/${encodeURIComponent(byId('other').value)}/`);
});
