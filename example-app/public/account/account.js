import { keepConnected } from '/reconnect.js';
import { addMessage, byId } from '/tour.js';

const show = (text) => addMessage(byId('messages'), text);
const connection = keepConnected('/account/', { messages: 'text' }, show);

connection.onState = async ({ state, lastClose }, wasOpen) => {
  // The codes from 4400 to 4499 end the websocket for good.
  byId('login').hidden = state !== 'closed' || lastClose.code !== 4401;
  // A browser hides why a handshake was refused. A plain request to the same route shows it.
  if (state === 'waiting' && !wasOpen && (await isLoginMissing())) location.reload();
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
