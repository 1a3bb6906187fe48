import { createInterface, clearLine, cursorTo, type Interface } from 'node:readline';
import type { Context } from '../command.ts';

/** Lines of output stand above the line that is being typed. */
export type Screen = { readonly reader: Interface; readonly terminal: boolean; print(line: string): void };

export function createScreen({ stdin, stdout }: Context): Screen {
  const terminal = stdin.isTTY === true && stdout.isTTY === true;
  const reader = createInterface({ input: stdin, ...(terminal ? { output: stdout, prompt: '> ' } : {}), terminal });
  return {
    reader,
    terminal,
    print(line) {
      if (terminal) {
        clearLine(stdout, 0);
        cursorTo(stdout, 0);
      }
      stdout.write(`${line}\n`);
      if (terminal) reader.prompt(true);
    },
  };
}
