/**
 * The code blocks of a guide, for a test that does what it says. What follows the language of a block is its role:
 *
 *   ```sh          is run, and ends
 *   ```sh stays    is run, and goes on running
 *   ```js NAME     is the content of the file NAME
 */
export type GuideBlock = { language: string; role: string; text: string; line: number };

export function readBlocks(markdown: string): GuideBlock[] {
  const blocks: GuideBlock[] = [];
  let open: GuideBlock | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    const fence = /^```(\S*) ?(.*)$/.exec(line);
    if (fence === null) {
      if (open !== null) open.text += `${line}\n`;
    } else if (open === null) open = { language: fence[1]!, role: fence[2]!, text: '', line: index + 1 };
    else {
      blocks.push(open);
      open = null;
    }
  }
  if (open !== null) throw new Error(`the block of line ${open.line} has no end`);
  return blocks;
}
