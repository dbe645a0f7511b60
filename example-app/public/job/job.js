import { byId, setUpConnection } from '/tour.js';

setUpConnection('/job/', (data) => {
  const { step, steps } = JSON.parse(data);
  byId('progress').value = step;
  byId('progress').max = steps;
  byId('steps').textContent = `${step} of ${steps}`;
});
