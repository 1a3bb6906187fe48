/** The Procfile: its lines, the number of processes for each, and the port of every process. Pure. */
import { Failure } from './failure.mjs';

/** @typedef {{name: string, command: string[]}} ProcfileLine `command` is started directly, without a shell */
/** @typedef {{name: string, line: string, command: string[], port: number}} PlannedProcess */

/** Line k has the ports from base + 100 k, so more instances would overlap the ports of the next line. */
const maxInstances = 100;

/**
 * @param {string} text
 * @returns {ProcfileLine[]} in the order of the file
 */
export function parseProcfile(text) {
  /** @type {ProcfileLine[]} */
  const lines = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) continue;
    const match = /^([A-Za-z0-9_-]+):\s*(\S.*)$/.exec(content);
    if (!match) throw new Failure(`Procfile line ${index + 1} is not "name: command": ${content}`);
    const [, name = '', command = ''] = match;
    if (lines.some((line) => line.name === name)) {
      throw new Failure(`Procfile line ${index + 1} names "${name}" a second time`);
    }
    lines.push({ name, command: command.split(/\s+/) });
  }
  if (lines.length === 0) throw new Failure('the Procfile has no lines');
  return lines;
}

/**
 * The number of processes for each line: one, unless an argument such as `fanout=2` says otherwise.
 * @param {string[]} args
 * @param {string[]} names the names of the lines
 * @returns {Map<string, number>}
 * @throws {Failure} naming every wrong argument
 */
export function parseCounts(args, names) {
  const counts = new Map(names.map((name) => [name, 1]));
  const faults = args.flatMap((arg) => {
    const [name = '', count = '', ...rest] = arg.split('=');
    if (!counts.has(name)) return [`"${arg}": there is no line "${name}"`];
    if (!/^\d{1,3}$/.test(count) || rest.length > 0 || Number(count) > maxInstances) {
      return [`"${arg}": the count must be a whole number from 0 to ${maxInstances}`];
    }
    counts.set(name, Number(count));
    return [];
  });
  if (faults.length === 0) return counts;
  throw new Failure(
    `${faults.join('\n')}\nthe lines of the Procfile are: ${names.join(', ')}; example: npm start -- ${names[0]}=2`,
  );
}

/**
 * Instance i of line k is called `<line>.<i + 1>` and gets port base + 100 k + i. With base 0 all get free ports.
 * @param {ProcfileLine[]} lines
 * @param {Map<string, number>} counts
 * @param {number} basePort
 * @returns {PlannedProcess[]}
 */
export function planProcesses(lines, counts, basePort) {
  const planned = lines.flatMap(({ name, command }, k) =>
    Array.from({ length: counts.get(name) ?? 1 }, (_, i) => ({
      name: `${name}.${i + 1}`,
      line: name,
      command,
      port: basePort === 0 ? 0 : basePort + 100 * k + i,
    })),
  );
  if (planned.length === 0) throw new Failure('nothing to start: every count is 0');
  const beyond = planned.find(({ port }) => port > 65535);
  if (beyond) throw new Failure(`PORT ${basePort} is too high: ${beyond.name} would get port ${beyond.port}`);
  return planned;
}
