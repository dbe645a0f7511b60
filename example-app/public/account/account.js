import { addMessage, byId, startConnection } from '/tour.js';

const connection = startConnection('/account/', (data) => addMessage(byId('messages'), data));

connection.onClose = async (code, wasOpen) => {
  byId('login').hidden = code !== 4401;
  // A browser hides why a handshake was refused. A plain request to the same route shows it.
  if (!wasOpen && (await isLoginMissing())) location.reload();
};

async function isLoginMissing() {
  try {
    return (await fetch('/account/', { method: 'HEAD' })).status === 401;
  } catch {
    return false;
  }
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  connection.send(byId('message').value);
});
