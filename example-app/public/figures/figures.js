import { keepConnected } from '/reconnect.js';
import { byId } from '/tour.js';

const megabytes = [];

keepConnected('/figures/', { messages: 'json' }, ({ memory, load, uptime }) => {
  byId('memory').textContent = formatMegabytes(memory / 2 ** 20);
  byId('load').textContent = load.toFixed(2);
  byId('uptime').textContent = `${Math.floor(uptime / 60)} min ${Math.floor(uptime % 60)} s`;
  megabytes.push(memory / 2 ** 20);
  if (megabytes.length > 60) megabytes.shift();
  drawCurve();
});

const formatMegabytes = (value) => `${value.toFixed(1)} MB`;

/** Draws the last minute from left to right, with some space above and below. */
function drawCurve() {
  const low = Math.min(...megabytes) - 1;
  const high = Math.max(...megabytes) + 1;
  byId('low').textContent = formatMegabytes(low);
  byId('high').textContent = formatMegabytes(high);
  const points = megabytes.map((value, index) => {
    const x = 60 - megabytes.length + index + 1;
    const y = 12 - (12 * (value - low)) / (high - low);
    return `${x},${y.toFixed(2)}`;
  });
  byId('curve').setAttribute('points', points.join(' '));
}
