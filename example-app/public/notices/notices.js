import { addMessage, byId, startConnection } from '/tour.js';

startConnection('/notices/', (data) => addMessage(byId('messages'), data));

byId('curl').textContent =
  `curl ${location.origin}/notices/ -H 'content-type: application/json' -d '{"text": "Dinner is ready"}'`;

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const answer = await fetch('/notices/', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: byId('text').value }),
  });
  const { readers, error } = await answer.json();
  byId('answer').textContent = error ?? `Sent to ${readers} open ${readers === 1 ? 'page' : 'pages'}.`;
});
