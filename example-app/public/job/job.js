import { byId, setUpConnection } from '/tour.js';

const connection = setUpConnection('/job/', (data) => {
  const { step, steps } = JSON.parse(data);
  byId('progress').value = step;
  byId('progress').max = steps;
  byId('steps').textContent = `${step} of ${steps}`;
});

// A new job, from the beginning.
connection.onOpen = () => {
  byId('progress').value = 0;
  byId('steps').textContent = '';
};
