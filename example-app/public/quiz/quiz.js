import { byId, startConnection } from '/tour.js';

const time = byId('time');
let deadline = 0;

const connection = startConnection(`/quiz/${location.search}`, (data) => {
  const { question, seconds, verdict, answer } = JSON.parse(data);
  if (question) ask(question, seconds);
  else tell(verdict, answer);
});

function ask(question, seconds) {
  byId('question').textContent = question;
  byId('verdict').textContent = '';
  byId('answer').value = '';
  byId('answer').focus();
  time.max = seconds;
  deadline = performance.now() + seconds * 1000;
  showTime();
}

function tell(verdict, answer) {
  deadline = 0;
  const texts = { right: 'Right.', wrong: `Wrong: it is ${answer}.`, late: `Too late: it is ${answer}.` };
  byId('verdict').textContent = texts[verdict];
  byId('verdict').dataset.verdict = verdict;
  byId('next').focus();
}

function showTime() {
  const left = Math.max(0, deadline - performance.now());
  time.value = left / 1000;
  if (left > 0) requestAnimationFrame(showTime);
}

byId('next').addEventListener('click', () => connection.send('next'));
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (deadline > 0) connection.send(byId('answer').value.trim());
});
