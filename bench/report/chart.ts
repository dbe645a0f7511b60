import type { Measured } from './markdown.js';

interface Panel {
  title: string;
  unit: string;
  bars: { label: string; value: number; text: string }[];
}

const WIDTH = 760;
const LABELS = 170;
const VALUES = 90;
const ROW = 22;
const PANEL_HEAD = 46;
const MARGIN = 16;

/** Draws bars that compare the candidates. READMEs show the chart, so it is readable on light and dark backgrounds. */
export function renderChart(parts: Record<string, Measured>): string {
  const panels = [
    panel(
      parts.echo,
      '32 B × 64',
      'Echo, 32-byte text, 64 in flight',
      'messages a second',
      (value) => `${(value / 1000).toFixed(0)} k`,
    ),
    panel(
      parts.echo,
      '32 B × 1',
      'Echo, 32-byte text, 1 in flight',
      'messages a second',
      (value) => `${(value / 1000).toFixed(0)} k`,
    ),
    panel(
      parts.heap,
      'heap',
      'Heap for an idle connection',
      'less is better',
      (value) => `${(value / 1024).toFixed(1)} KiB`,
    ),
  ].filter((one): one is Panel => one !== undefined);
  let top = MARGIN;
  const drawn: string[] = [];
  for (const one of panels) {
    drawn.push(drawPanel(one, top));
    top += PANEL_HEAD + one.bars.length * ROW + MARGIN;
  }
  const environment = (parts.echo ?? parts.heap)?.environment;
  const foot =
    environment === undefined ? '' : `${environment.machine}, ${environment.node}, ${environment.date}`;
  const height = top + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(WIDTH)} ${String(height)}" width="${String(WIDTH)}" height="${String(height)}" role="img" aria-label="dwebsocket beside other WebSocket libraries: echoes a second and memory">
<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .quiet { fill: #59636e; font-size: 12px; }
  .bar { fill: #9aa7b5; }
  .ours { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; }
    .bar { fill: #57626e; }
    .ours { fill: #3fb950; }
  }
</style>
${drawn.join('\n')}
<text class="quiet" x="${String(MARGIN)}" y="${String(height - 12)}">${escape(foot)}</text>
</svg>
`;
}

function panel(
  part: Measured | undefined,
  name: string,
  title: string,
  unit: string,
  format: (value: number) => string,
): Panel | undefined {
  const bars = part?.result.bars?.[name];
  if (bars === undefined) return undefined;
  const shown = Object.entries(bars).filter(([label]) => !label.startsWith('net'));
  return { title, unit, bars: shown.map(([label, value]) => ({ label, value, text: format(value) })) };
}

function drawPanel({ title, unit, bars }: Panel, top: number): string {
  const longest = Math.max(...bars.map(({ value }) => value));
  const room = WIDTH - 2 * MARGIN - LABELS - VALUES;
  const rows = bars.map(({ label, value, text }, index) => {
    const y = top + PANEL_HEAD + index * ROW;
    const width = Math.max(1, (value / longest) * room);
    const kind = label === 'dwebsocket' ? 'bar ours' : 'bar';
    const x = MARGIN + LABELS;
    return `<text x="${String(x - 8)}" y="${String(y + 12)}" text-anchor="end">${escape(label)}</text>
<rect class="${kind}" x="${String(x)}" y="${String(y)}" width="${width.toFixed(1)}" height="16" rx="2"/>
<text x="${(x + width + 6).toFixed(1)}" y="${String(y + 12)}">${escape(text)}</text>`;
  });
  return [
    `<text class="title" x="${String(MARGIN)}" y="${String(top + 16)}">${escape(title)}</text>`,
    `<text class="quiet" x="${String(MARGIN)}" y="${String(top + 33)}">${escape(unit)}</text>`,
    ...rows,
  ].join('\n');
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}
