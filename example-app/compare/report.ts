import type { Way } from './clients.js';
import type { Result, Settings } from './measure.js';

export const names: Record<Way, string> = {
  polling: 'Polling',
  'long-polling': 'Long polling',
  streaming: 'Streaming',
  websocket: 'WebSocket',
};

const crowds = [1_000, 10_000, 100_000];

/** Writes the page for the documents: the cost of one client, and the projected traffic of many. */
export function writeMarkdown(results: Result[], settings: Settings): string {
  const { rate, interval, seconds } = settings;
  return `# Four ways to be up to date

The route \`/compare/\` of the example app sends the same events in four ways. \`npm run compare\` measured them for
${seconds} seconds, with ${rate} event${rate === 1 ? '' : 's'} a second and a poll every ${interval} ms. It counts bytes at the
server's sockets, in both directions: the headers of Chromium and of Express with helmet, chunks and frames, but not what TCP
and IP add. Server and clients ran on one machine, so the network adds almost nothing to a delay.

![Traffic of 1,000, 10,000 and 100,000 clients](compare.svg)

${table(
  ['', 'events', 'requests', 'bytes up', 'bytes down', 'bytes per event', 'median delay', 'longest delay'],
  results.map((result) => [
    names[result.way],
    count(result.events),
    count(result.requests),
    count(result.up),
    count(result.down),
    result.events > 0 ? count((result.up + result.down) / result.events) : '–',
    formatDelay(result.medianDelay),
    formatDelay(result.longestDelay),
  ]),
)}

The projected traffic of many clients, once all are connected:

${table(
  ['', ...crowds.map((crowd) => `${count(crowd)} clients`)],
  results.map((result) => [
    names[result.way],
    ...crowds.map((crowd) => formatBits(result.bitsPerSecond * crowd)),
  ]),
)}
`;
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '--:'))), ...rows.map(line)].join(
    '\n',
  );
}

const count = (number: number) => Math.round(number).toLocaleString('en');

function formatDelay(ms: number): string {
  if (Number.isNaN(ms)) return '–';
  return `${ms < 10 ? ms.toFixed(1) : count(ms)} ms`;
}

export function formatBits(bits: number): string {
  const [size, unit] = bits < 1e6 ? [1e3, 'kbit/s'] : bits < 1e9 ? [1e6, 'Mbit/s'] : [1e9, 'Gbit/s'];
  return `${Number((bits / size).toPrecision(2)).toLocaleString('en')} ${unit}`;
}

/** Draws a bar for each way, with the traffic of each crowd. Its colours follow the reader's light or dark mode. */
export function writeSvg(results: Result[]): string {
  const [width, row, top] = [780, 44, 70];
  const height = top + results.length * row + 10;
  const most = Math.max(...results.map((result) => result.bitsPerSecond));
  const columns = [
    ...crowds.map((crowd, index) => ({
      x: 436 + index * 112,
      head: `${count(crowd)} clients`,
      cell: (result: Result) => formatBits(result.bitsPerSecond * crowd),
    })),
    { x: width - 16, head: 'delay', cell: (result: Result) => formatDelay(result.medianDelay) },
  ];

  const text = (x: number, y: number, content: string, kind: string) =>
    `<text class="${kind}" x="${x}" y="${y}">${content}</text>`;
  const rows = results.map((result, index) => {
    const y = top + index * row;
    const length = Math.max(3, (result.bitsPerSecond / most) * 200);
    return [
      `<line x1="16" x2="${width - 16}" y1="${y}" y2="${y}" />`,
      text(16, y + 28, names[result.way], 'name'),
      `<rect class="${result.way}" x="124" y="${y + 15}" width="${length.toFixed(1)}" height="16" rx="4" />`,
      ...columns.map(({ x, cell }) => text(x, y + 28, cell(result), 'end')),
    ].join('\n');
  });

  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Traffic of 1,000, 10,000 and 100,000 clients">
<style>
  .paper { fill: #ffffff }
  text { font: 13px system-ui, sans-serif; fill: #15181c }
  .head { fill: #565d67 } .name, .title { font-weight: 600 } .title { font-size: 15px } .end { text-anchor: end }
  line { stroke: #d9dad4 }
  .polling { fill: #b4540a } .long-polling { fill: #7a45b5 } .streaming { fill: #1a63b0 } .websocket { fill: #0b6b5b }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #161a1d } text { fill: #e9ecee } .head { fill: #a0a8b0 } line { stroke: #2a3035 }
    .polling { fill: #f5a05c } .long-polling { fill: #c39af0 } .streaming { fill: #74b4f5 } .websocket { fill: #58d3b6 }
  }
</style>
<rect class="paper" width="${width}" height="${height}" rx="12" />
${text(16, 26, 'Traffic, once all clients are connected', 'title')}
${[...columns.map(({ x, head }) => text(x, top - 14, head, 'head end')), ...rows].join('\n')}
</svg>
`;
}
