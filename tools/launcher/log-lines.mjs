/** The output of the processes: one line each, marked with the process it came from. */

const colours = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const levels = new Map([
  [10, 'trace'],
  [20, 'debug'],
  [30, 'info'],
  [40, 'warn'],
  [50, 'error'],
  [60, 'fatal'],
]);
const levelColours = new Map([
  [40, 33],
  [50, 31],
  [60, 31],
]);
/** Shown by the prefix, or the same in every line. */
const leftOut = new Set(['level', 'time', 'pid', 'hostname', 'event', 'msg', 'err']);

/**
 * @param {string[]} names of all processes, which share one column
 * @param {{write: (text: string) => unknown, isTTY?: boolean}} out
 * @param {boolean} colour
 * @returns {(name: string, line: string) => void}
 */
export function createPrinter(names, out, colour) {
  const width = Math.max(...names.map((name) => name.length));
  const palette = new Map(names.map((name, index) => [name, colours[index % colours.length] ?? 0]));
  return (name, line) => {
    const mark = `${name.padEnd(width)} |`;
    const text = out.isTTY ? readable(line, colour) : line;
    out.write(`${colour ? paint(mark, palette.get(name) ?? 0) : mark} ${text}\n`);
  };
}

/**
 * The port in a log line about listening; undefined for every other line, and for those of other roles, which may share
 * the process.
 * @param {string} line
 * @param {string} role
 * @returns {number | undefined}
 */
export function listeningPort(line, role) {
  const fields = line.includes('"listening"') ? parseObject(line) : undefined;
  const isMeant = fields?.event === 'listening' && (fields.role ?? role) === role;
  return isMeant && Number.isInteger(fields.port) ? fields.port : undefined;
}

/**
 * Formats a JSON log line for people: time, level, event, text, fields. Other lines stay as they are.
 * @param {string} line
 * @param {boolean} colour
 */
export function readable(line, colour) {
  const fields = parseObject(line);
  if (fields === undefined || !levels.has(fields.level)) return line;
  const time = new Date(fields.time ?? Date.now()).toTimeString().slice(0, 8);
  const level = levels.get(fields.level) ?? '';
  const rest = Object.entries(fields)
    .filter(([name]) => !leftOut.has(name))
    .map(
      ([name, value]) => `${name}=${typeof value === 'string' && !/\s/.test(value) ? value : JSON.stringify(value)}`,
    );
  const trouble = fields.err === undefined ? [] : [String(fields.err?.stack ?? fields.err?.message ?? fields.err)];
  const word = level.padEnd(5);
  const shownLevel = colour && levelColours.has(fields.level) ? paint(word, levelColours.get(fields.level) ?? 0) : word;
  return [time, shownLevel, fields.event, fields.msg, ...rest, ...trouble].filter(Boolean).join(' ');
}

/**
 * @param {string} text
 * @param {number} code
 */
const paint = (text, code) => `\u001b[${code}m${text}\u001b[0m`;

/**
 * @param {string} line
 * @returns {Record<string, any> | undefined}
 */
function parseObject(line) {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
