/**
 * A log of operations as a text, so that it can be part of a state's key. A node that dies comes back with a beginning
 * of its log: a cut append-only file, a replica that lagged and an older snapshot are all of this form. So of every
 * slot, the last thing seen stands for all before it.
 */
export function written(log: string, operation: string): string {
  return log === '' ? operation : `${log} ${operation}`;
}

/** Every beginning of a log, the whole of it last. */
export function beginnings(log: string): string[] {
  if (log === '') return [''];
  const operations = log.split(' ');
  return ['', ...operations.map((_, i) => operations.slice(0, i + 1).join(' '))];
}

/** What a log makes of `first`, one operation after the other. Logs are few, so what they make is remembered. */
export function madeBy<T>(first: T, after: (made: T, operation: string) => T): (log: string) => T {
  const known = new Map<string, T>([['', first]]);
  return function make(log) {
    const remembered = known.get(log);
    if (remembered !== undefined) return remembered;
    const at = log.lastIndexOf(' ');
    const made = after(make(at < 0 ? '' : log.slice(0, at)), log.slice(at + 1));
    known.set(log, made);
    return made;
  };
}
