import { byId, openWebsocket, switchButtons } from '/tour.js';
import { Chart } from './chart.js';
import { ways } from './ways.js';

const chart = new Chart(byId('chart'), ways);
const client = Math.random().toString(36).slice(2);
const calm = matchMedia('(prefers-reduced-motion: reduce)');

// The difference to the server's clock, from the fastest answer of the meter.
let offset = 0;
let bestTrip = Infinity;
const localNow = () => performance.timeOrigin + performance.now();
const serverNow = () => localNow() + offset;

/** The current run, between Start and Stop. */
let running = null;

function start() {
  stop();
  const { rate, interval } = byId('settings').elements;
  const controller = new AbortController();
  const run = {
    controller,
    startedAt: 0,
    connected: null,
    latencies: new Map(ways.map(({ id }) => [id, []])),
  };
  running = run;
  chart.clear();
  switchButtons(byId('start'), byId('stop'));
  show('connecting', 'Connecting…');

  const meter = openWebsocket(`/compare/meter?client=${client}&rate=${rate.value}`);
  controller.signal.addEventListener('abort', () => meter.close());
  meter.addEventListener(
    'close',
    () => running === run && stop('Closed: the server cannot be reached', 'lost'),
  );
  askRepeatedly(meter, controller.signal, ({ costs, newest }) => {
    if (run.startedAt === 0) begin(run, rate.value, Number(interval.value), newest);
    showCosts(run, costs);
  });
}

/** Starts all ways after the newest event, so that earlier events cost nothing. */
function begin(run, rate, interval, after) {
  run.startedAt = serverNow();
  show('open', 'Running');
  for (const way of ways) {
    const finished = way.run({
      path: `/compare/?client=${client}&way=${way.id}&rate=${rate}`,
      interval,
      after,
      signal: run.controller.signal,
      onRequest: () => chart.addRequest(way.id, serverNow()),
      onEvent: (event) => receive(run, way.id, event),
    });
    // stop() aborts pending requests. If the server cannot be reached, the meter's websocket reports it.
    finished.catch(() => {});
  }
  const draw = () => {
    if (running !== run) return;
    chart.draw(serverNow());
    if (calm.matches) setTimeout(draw, 1000);
    else requestAnimationFrame(draw);
  };
  draw();
}

function stop(text = 'Stopped', state = 'left') {
  if (!running) return;
  const { controller } = running;
  running = null;
  controller.abort();
  switchButtons(byId('stop'), byId('start'));
  show(state, text);
}

function receive(run, way, event) {
  if (running !== run) return;
  const arrived = serverNow();
  run.latencies.get(way).push(arrived - event.at);
  chart.addArrival(way, event, arrived);
}

/** Asks the meter twice a second. The fastest answer sets the clock. */
function askRepeatedly(meter, signal, onAnswer) {
  let askedAt = 0;
  let timer;
  const ask = () => {
    askedAt = localNow();
    meter.send('"costs?"');
  };
  meter.addEventListener('open', ask);
  meter.addEventListener('message', ({ data }) => {
    const answer = JSON.parse(data);
    const trip = localNow() - askedAt;
    if (trip < bestTrip) {
      bestTrip = trip;
      offset = answer.now - askedAt - trip / 2;
    }
    onAnswer(answer);
    timer = setTimeout(ask, 500);
  });
  signal.addEventListener('abort', () => clearTimeout(timer));
}

function showCosts(run, costs) {
  // The projection leaves out the cost of connecting.
  if (serverNow() - run.startedAt > 1200) run.connected ??= { costs, at: serverNow() };
  const { connected } = run;
  const elapsed = connected ? (serverNow() - connected.at) / 1000 : 0;
  const bytesSince = (id) => totalOf(costs[id]) - totalOf(connected?.costs[id]);
  const most = Math.max(...ways.map(({ id }) => bytesSince(id)));
  for (const { id } of ways) {
    const { requests = 0, up = 0, down = 0 } = costs[id] ?? {};
    const latencies = run.latencies.get(id);
    const put = (name, text) => (byId(`${id}-${name}`).textContent = text);
    put('latency', latencies.length ? formatTime(median(latencies)) : '–');
    put('last', latencies.length ? formatTime(latencies.at(-1)) : '–');
    put('requests', requests);
    put('up', formatBytes(up));
    put('down', formatBytes(down));
    put('each', latencies.length ? formatBytes((up + down) / latencies.length) : '–');
    for (const many of [1_000, 10_000, 100_000]) {
      put(many, elapsed > 1 ? formatBits((8 * many * bytesSince(id)) / elapsed) : '–');
    }
    byId(`${id}-bar`).value = elapsed > 1 && most > 0 ? bytesSince(id) / most : 0;
  }
}

const totalOf = (cost) => (cost ? cost.up + cost.down : 0);

function show(state, text) {
  const status = byId('status');
  status.dataset.state = state;
  status.textContent = text;
}

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function formatTime(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

function formatBytes(bytes) {
  if (bytes < 10_000) return `${Math.round(bytes)} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function formatBits(bits) {
  const [size, unit] = bits < 1e6 ? [1e3, 'kbit/s'] : bits < 1e9 ? [1e6, 'Mbit/s'] : [1e9, 'Gbit/s'];
  // On a phone the unit wraps below the number.
  return `${Number((bits / size).toPrecision(2)).toLocaleString('en')}\n${unit}`;
}

byId('settings').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
byId('settings').addEventListener('change', () => running && start());
byId('stop').addEventListener('click', () => stop());
// Two of the ways hold a connection, and a browser allows six for one server. So hidden tabs stop.
document.addEventListener('visibilitychange', () => document.hidden && stop('Stopped: this tab was hidden'));
start();
