/** Draws panels of bars as an SVG that is readable on a light and on a dark page, and by programs: text stays text. */

export type Bar = { label: string; value: number; text: string; ours: boolean };
export type Panel = { title: string; note: string; bars: Bar[] };

const width = 840;
const margin = 24;
const gap = 40;
const panelWidth = (width - 2 * margin - gap) / 2;
const labelWidth = 168;
/** Room behind the longest bar for its number. */
const valueWidth = 62;
const headHeight = 54;
const rowHeight = 26;
const barHeight = 16;
const footHeight = 18;

const style = `
  svg { --ink: #1f2328; --soft: #59636e; --ours: #0969da; --other: #afb8c1; --line: #d1d9e0; }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #f0f6fc; --soft: #9198a1; --ours: #58a6ff; --other: #484f58; --line: #3d444d; }
  }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: var(--ink); }
  .title { font-weight: 600; font-size: 14px; }
  .note { font-size: 11.5px; fill: var(--soft); }
  .value { font-variant-numeric: tabular-nums; }
  .ours { fill: var(--ours); }
  .other { fill: var(--other); }
  .axis { stroke: var(--line); }`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const round = (value: number): number => Number(value.toFixed(1));

const heightOf = ({ bars }: Panel): number => headHeight + bars.length * rowHeight;

function drawBar({ label, value, text, ours }: Bar, longest: number, top: number): string {
  const most = panelWidth - labelWidth - valueWidth;
  const length = longest === 0 ? 0 : Math.max(1, (value / longest) * most);
  const middle = top + rowHeight / 2;
  return [
    `<text x="0" y="${middle + 4.5}">${escaped(label)}</text>`,
    `<rect class="${ours ? 'ours' : 'other'}" x="${labelWidth}" y="${middle - barHeight / 2}" ` +
      `width="${round(length)}" height="${barHeight}" rx="2"/>`,
    `<text class="value" x="${round(labelWidth + length + 6)}" y="${middle + 4.5}">${escaped(text)}</text>`,
  ].join('\n    ');
}

function drawPanel(panel: Panel, x: number, y: number): string {
  const { title, note, bars } = panel;
  const longest = Math.max(...bars.map(({ value }) => value));
  return [
    `  <g transform="translate(${x} ${y})">`,
    `    <text class="title" x="0" y="14">${escaped(title)}</text>`,
    `    <text class="note" x="0" y="32">${escaped(note)}</text>`,
    ...bars.map((bar, i) => `    ${drawBar(bar, longest, headHeight - 8 + i * rowHeight)}`),
    `    <path class="axis" d="M${labelWidth} ${headHeight - 8}v${bars.length * rowHeight}"/>`,
    '  </g>',
  ].join('\n');
}

/** Two panels in a row, with the lines of `foot` below. `title` and `description` are for those who do not see it. */
export function drawChart(
  panels: readonly Panel[],
  { title, description, foot }: { title: string; description: string; foot: readonly string[] },
): string {
  let y = margin;
  const drawn: string[] = [];
  for (let i = 0; i < panels.length; i += 2) {
    const row = panels.slice(i, i + 2);
    drawn.push(...row.map((panel, at) => drawPanel(panel, margin + at * (panelWidth + gap), y)));
    y += Math.max(...row.map(heightOf)) + margin;
  }
  const height = y + foot.length * footHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
      'role="img" aria-labelledby="title description">',
    `  <title id="title">${escaped(title)}</title>`,
    `  <desc id="description">${escaped(description)}</desc>`,
    `  <style>${style}\n  </style>`,
    ...drawn,
    ...foot.map((line, i) => `  <text class="note" x="${margin}" y="${y + i * footHeight}">${escaped(line)}</text>`),
    '</svg>\n',
  ].join('\n');
}
