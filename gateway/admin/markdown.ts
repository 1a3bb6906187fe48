/**
 * The Markdown that docs/operations is written in, as HTML: headings with anchors, paragraphs, lists of one level,
 * tables, fenced code, `code`, **bold**, _emphasis_ and links. Everything else is text. `linkTo` gives the address of a
 * link, or null where it leads nowhere in a browser: then its text remains.
 */
export function htmlOf(markdown: string, linkTo: (target: string) => string | null): string {
  const inline = (text: string): string => inlineHtml(text, linkTo);
  return blocksOf(markdown.split('\n'))
    .map((block) => {
      switch (block.type) {
        case 'heading':
          return `<h${block.level} id="${anchorOf(block.text)}">${inline(block.text)}</h${block.level}>`;
        case 'code':
          return `<pre tabindex="0">${escapeHtml(block.lines.join('\n'))}</pre>`;
        case 'table':
          return tableHtml(block.lines, inline);
        case 'list':
          return listHtml(block.lines, inline);
        case 'paragraph':
          return `<p>${inline(block.lines.join(' '))}</p>`;
      }
    })
    .join('\n');
}

type Block =
  | { type: 'heading'; level: number; text: string }
  | { type: 'code' | 'table' | 'list' | 'paragraph'; lines: string[] };

const fence = /^```/;
const heading = /^(#{1,4}) +(.+)$/;
const item = /^(-|\d+\.) +/;

function blocksOf(lines: readonly string[]): Block[] {
  const blocks: Block[] = [];
  let open: Extract<Block, { lines: string[] }> | null = null;
  let inCode = false;
  for (const line of lines) {
    if (fence.test(line)) {
      inCode = !inCode;
      open = inCode ? { type: 'code', lines: [] } : null;
      if (open !== null) blocks.push(open);
      continue;
    }
    if (inCode) {
      open!.lines.push(line);
      continue;
    }
    const title = heading.exec(line);
    if (title !== null) blocks.push({ type: 'heading', level: title[1]!.length, text: title[2]! });
    if (title !== null || line.trim() === '') {
      open = null;
      continue;
    }
    const type = line.startsWith('|') ? 'table' : item.test(line) ? 'list' : (open?.type ?? 'paragraph');
    if (open === null || open.type !== type) blocks.push((open = { type, lines: [] }));
    open.lines.push(line);
  }
  return blocks;
}

/** The anchor of a heading, as GitHub makes it. */
export const anchorOf = (text: string): string =>
  text
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');

const cellsOf = (line: string): string[] =>
  line
    .replace(/^\||\|\s*$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));

/** The second line only divides the head from the body. */
function tableHtml([head = '', , ...rows]: string[], inline: (text: string) => string): string {
  const row = (cells: string[]): string => `<tr>${cells.join('')}</tr>`;
  const names = row(cellsOf(head).map((cell) => `<th scope="col">${inline(cell)}</th>`));
  const body = rows.map((line) => row(cellsOf(line).map((cell) => `<td>${inline(cell)}</td>`)));
  const table = `<table><thead>${names}</thead><tbody>${body.join('')}</tbody></table>`;
  return `<div class="wide-table" tabindex="0">${table}</div>`;
}

function listHtml(lines: readonly string[], inline: (text: string) => string): string {
  const items: string[] = [];
  for (const line of lines) {
    if (item.test(line)) items.push(line.replace(item, ''));
    else items.push(`${items.pop() ?? ''} ${line.trim()}`);
  }
  const name = lines[0]!.startsWith('-') ? 'ul' : 'ol';
  return `<${name}>${items.map((text) => `<li>${inline(text)}</li>`).join('')}</${name}>`;
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Code is taken out first and put back last: nothing in it is a sign of Markdown. */
function inlineHtml(text: string, linkTo: (target: string) => string | null): string {
  const code: string[] = [];
  return escapeHtml(text.replace(/`([^`]+)`/g, (_all, inside: string) => `\u{e000}${code.push(inside) - 1}\u{e001}`))
    .replace(/\*\*(.+?)\*\*/g, '<strong>$1</strong>')
    .replace(/(?<!\w)_([^_]+)_(?!\w)/g, '<em>$1</em>')
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (_all, label: string, target: string) => {
      const address = linkTo(target);
      return address === null ? label : `<a href="${address}">${label}</a>`;
    })
    .replace(/\u{e000}(\d+)\u{e001}/gu, (_all, i: string) => `<code>${escapeHtml(code[Number(i)]!)}</code>`);
}
