import { byId, startConnection } from '/tour.js';

const sent = byId('sent').getContext('2d', { willReadFrequently: true });
const received = byId('received').getContext('2d');
const { width, height } = sent.canvas;

let draw = drawBalls;
let sentAt = 0;
let frames = 0;
const arrivals = [];

const connection = startConnection('/frames/', (data) => {
  received.putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
  showFigures();
  requestAnimationFrame(sendFrame);
});
connection.onOpen = sendFrame;

/** Sends a frame. Each answer triggers the next one, so that only one is in flight, even on a slow connection. */
function sendFrame() {
  draw();
  sentAt = performance.now();
  connection.send(sent.getImageData(0, 0, width, height).data);
}

function showFigures() {
  const now = performance.now();
  arrivals.push(now);
  while (arrivals[0] < now - 1000) arrivals.shift();
  byId('count').textContent = ++frames;
  byId('rate').textContent = arrivals.length;
  byId('trip').textContent = `${(now - sentAt).toFixed(1)} ms`;
}

function drawBalls() {
  const time = performance.now() / 1000;
  sent.fillStyle = '#16242c';
  sent.fillRect(0, 0, width, height);
  ['#f2a65a', '#58d3b6', '#7aa7f7', '#e36588'].forEach((color, n) => {
    const x = width * (0.5 + 0.36 * Math.sin(time * (0.7 + n * 0.23) + n));
    const y = height * (0.5 + 0.32 * Math.cos(time * (0.9 + n * 0.17) + n * 2));
    sent.beginPath();
    sent.arc(x, y, 12 + n * 4, 0, 7);
    sent.fillStyle = color;
    sent.fill();
  });
}

byId('camera').addEventListener('click', async () => {
  try {
    const video = document.createElement('video');
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 320, height: 240 } });
    video.muted = true;
    await video.play();
    draw = () => sent.drawImage(video, 0, 0, width, height);
    byId('no-camera').textContent = '';
  } catch {
    byId('no-camera').textContent =
      'No camera was found, or this page may not use it. Allow it in the browser.';
  }
});
