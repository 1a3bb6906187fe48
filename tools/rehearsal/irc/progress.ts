/** Shows the progress of a run: a bar on a terminal, otherwise a line every few seconds. */
export type Progress = {
  show(done: number, total: number, text: string): void;
  /** Prints a permanent line. */
  say(text: string): void;
  end(): void;
};

const barWidth = 28;
const quietMs = 3000;
const lively = 100;

export function createProgress(out: NodeJS.WritableStream & { isTTY?: boolean }, now = Date.now): Progress {
  let shownAt = 0;
  let open = false;
  const clear = (): void => {
    if (open) out.write('\r\u001b[K');
    open = false;
  };
  return {
    show(done, total, text) {
      const interval = out.isTTY === true ? lively : quietMs;
      if (now() - shownAt < interval && done < total) return;
      shownAt = now();
      const share = total === 0 ? 1 : done / total;
      if (out.isTTY !== true) {
        out.write(`${Math.floor(share * 100)}%  ${text}\n`);
        return;
      }
      const full = Math.round(share * barWidth);
      out.write(`\r\u001b[K[${'#'.repeat(full)}${'-'.repeat(barWidth - full)}] ${Math.floor(share * 100)}%  ${text}`);
      open = true;
    },
    say(text) {
      clear();
      out.write(`${text}\n`);
    },
    end: clear,
  };
}
