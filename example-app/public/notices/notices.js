import { keepConnected } from '/reconnect.js';
import { addMessage, byId } from '/tour.js';

keepConnected('/notices/', { messages: 'json' }, ({ text }) => addMessage(byId('messages'), text));

byId('curl').textContent =
  `curl ${location.origin}/notices/ -H 'content-type: application/json' -d '{"text": "Dinner is ready"}'`;

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  byId('answer').textContent = await post(byId('text').value).catch(() => 'The server cannot be reached.');
});

/** Posts a notice, and resolves with a text about the result. */
async function post(text) {
  const answer = await fetch('/notices/', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text }),
  });
  const { readers, error } = await answer.json();
  return error ?? `Sent to ${readers} open ${readers === 1 ? 'page' : 'pages'}.`;
}
