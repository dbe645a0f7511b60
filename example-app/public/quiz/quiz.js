import { byId, startConnection, warn } from '/tour.js';

const time = byId('time');
const next = byId('next');
let deadline = 0;
let verdicts = [];
let isAgain = false;

const isHard = new URLSearchParams(location.search).has('hard');
byId('easy').hidden = isHard;
byId('hard').hidden = !isHard;

const connection = startConnection(`/quiz/${location.search}`, (data) => {
  const { question, seconds, verdict, answer } = JSON.parse(data);
  if (question) ask(question, seconds);
  else tell(verdict, answer);
});

connection.onOpen = () => {
  verdicts = [];
  byId('question').textContent = 'Press Next question.';
  byId('verdict').textContent = '';
  next.textContent = 'Next question';
  if (isAgain) connection.send('"next"');
  isAgain = false;
};

connection.onClose = (code) => {
  stopTime();
  const right = verdicts.filter((verdict) => verdict === 'right').length;
  byId('question').textContent =
    code === 1000 ? `That was all: ${right} of ${verdicts.length} right.` : 'Press Connect to begin.';
  if (code === 1000) next.textContent = 'Again';
};

function ask(question, seconds) {
  byId('question').textContent = question;
  byId('verdict').textContent = '';
  byId('answer').value = '';
  byId('answer').focus();
  next.disabled = true;
  time.max = seconds;
  deadline = performance.now() + seconds * 1000;
  showTime();
}

function tell(verdict, answer) {
  stopTime();
  verdicts.push(verdict);
  const texts = { right: 'Right.', wrong: `Wrong: it is ${answer}.`, late: `Too late: it is ${answer}.` };
  byId('verdict').textContent = texts[verdict];
  byId('verdict').dataset.verdict = verdict;
  next.focus();
}

function stopTime() {
  deadline = 0;
  next.disabled = false;
}

function showTime() {
  const left = Math.max(0, deadline - performance.now());
  time.value = left / 1000;
  if (left > 0) requestAnimationFrame(showTime);
}

next.addEventListener('click', () => {
  isAgain = next.textContent === 'Again';
  if (isAgain) connection.open();
  else connection.send('"next"');
});
byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (deadline > 0 || !connection.isOpen()) connection.send(JSON.stringify(byId('answer').value.trim()));
  else warn('No question is open. Press Next question first.');
});
