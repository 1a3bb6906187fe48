/** The table that the benchmark prints while it runs. */
import type { LoadRun } from './load-run.ts';
import { quietCores } from './quiet.ts';
import { goals, usByProcess, usPerMessage, type IdleRun } from './summary.ts';

const columns = [5, 10, 15, 9, 8, 8, 8, 8, 8, 7, 5, 4];
const row = (cells: (string | number)[]): string =>
  cells
    .map((cell, index) => {
      const width = columns[index] ?? 0;
      return index === 1 || index === 2 ? String(cell).padEnd(width) : String(cell).padStart(width);
    })
    .join('  ');

export const tableHead = (): string =>
  row([
    'round',
    'case',
    'system',
    'del/s',
    'p50 ms',
    'p99 ms',
    'acc p50',
    'acc p99',
    'CPU us',
    'foreign',
    'lost',
    'dup',
  ]);

export function loadRow({ name, system, round, result }: LoadRun<string, string>): string {
  const ms = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
  const { errors, reordered, strayed, returned, unanswered } = result;
  const noted = Object.entries({ ...errors, reordered, strayed, returned, unanswered })
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`);
  const shares =
    system === 'echo' ? [] : Object.entries(usByProcess(result)).map(([process, us]) => `${process} ${us.toFixed(1)}`);
  return [
    row([
      round,
      name,
      system,
      Math.round(result.perSecond),
      ms(result.p50Ms),
      ms(result.p99Ms),
      ms(result.acceptedP50Ms),
      ms(result.acceptedP99Ms),
      usPerMessage(result)?.toFixed(1) ?? '-',
      `${result.foreignCores.toFixed(2)}${result.foreignCores > quietCores ? 'F' : ''}`,
      result.lost,
      result.duplicated,
    ]),
    ...(shares.length > 0 ? [`       us a message: ${shares.join(', ')}`] : []),
    ...(noted.length > 0 ? [`       also: ${noted.join(', ')}`] : []),
  ].join('\n');
}

export const idleRow = ({ system, result }: IdleRun): string =>
  `       idle        ${system.padEnd(8)}  per connection: ${Math.round(result.residentBytes)} bytes resident, ` +
  `${Math.round(result.heapBytes)} on the heap (${result.connections} connections)`;

export const ratioRows = (ratios: Record<string, number | null>, wantedOf: Record<string, object> = goals): string[] =>
  Object.entries(ratios)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => {
      const goal: { floor?: number; ceiling?: number } | undefined = wantedOf[name];
      const wanted =
        goal?.floor === undefined
          ? goal?.ceiling === undefined
            ? ''
            : `at most ${goal.ceiling}`
          : `at least ${goal.floor}`;
      return `${name.padEnd(30)} ${String(value).padStart(8)}   ${wanted}`;
    });
