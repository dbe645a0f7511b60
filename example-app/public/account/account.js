import { addMessage, byId, startConnection } from '/tour.js';

const connection = startConnection('/account/', (data) => addMessage(byId('messages'), data));

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  connection.send(byId('message').value);
});
