/**
 * The frames of the benchmark: writes messages, and recognises them when they come back.
 *
 * The body tells which message it is and when it was sent. All its numbers have a fixed width, and no other text in a
 * frame looks like it. So a `deliver` frame need not be parsed as a whole: three searches for each item are enough. A
 * frame of unexpected form is parsed as JSON. Now and then both results are compared, see `readDeliver`.
 */
import { textFrame } from './socket.ts';

const numberWidth = 9;
const timeWidth = 10;
const usualBodyLength = 100;
const usualFilling = 'x';
const bodyStart = 'bench:';
const stampLength = bodyStart.length + numberWidth + 1 + timeWidth;

/** The number and the time of a message, from its body. `sentUs` is microseconds by the generator's clock. */
export type Stamp = { number: number; sentUs: number };
/** A delivered message; `position` is its place in the inbox, undefined for a message of a large group. */
export type Delivered = Stamp & { position: number | undefined; seq: number };

/** The recipient of a message: another user, or a conversation. */
export type Address = { to: string } | { conversation: string };

/** The body of a message, for servers whose frames are not Restante's. */
export const messageBody = (number: number, sentUs: number): string =>
  `${bodyStart}${String(number).padStart(numberWidth, '0')}:${String(sentUs).padStart(timeWidth, '0')}`.padEnd(
    usualBodyLength,
    usualFilling,
  );

/** Builds the frames in which a user writes to one address; the constant parts are prepared once. */
export function messageWriter(
  address: Address,
  bodyLength = usualBodyLength,
): (number: number, sentUs: number) => string {
  const filling = ':'.padEnd(bodyLength - stampLength, usualFilling);
  const payload = (digits: string, time: string): string =>
    `{"type":"send","clientId":"m${digits}",${JSON.stringify(address).slice(1, -1)},"kind":"bench",` +
    `"body":"${bodyStart}${digits}:${time}${filling}"}`;
  const frame = textFrame(payload('#'.repeat(numberWidth), '@'.repeat(timeWidth)));
  const [head = '', middle = '', rest = ''] = frame.split('#'.repeat(numberWidth));
  const tail = rest.slice(1 + timeWidth);
  return (number, sentUs) => {
    const digits = String(number).padStart(numberWidth, '0');
    return `${head}${digits}${middle}${digits}:${String(sentUs).padStart(timeWidth, '0')}${tail}`;
  };
}

export const helloFrame = (token: string, device: string): string =>
  textFrame(JSON.stringify({ type: 'hello', token, device }));

export const receivedFrame = (position: number): string => textFrame(`{"type":"received","position":${position}}`);

export const readFrame = (address: Address, seq: number): string =>
  textFrame(JSON.stringify({ type: 'read', ...address, seq }));

function digitsAt(text: string, from: number): number {
  let value = 0;
  for (let at = from; ; at += 1) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return at === from ? Number.NaN : value;
    value = value * 10 + digit;
  }
}

function stampAt(text: string, from: number): Stamp {
  const numberAt = from + bodyStart.length;
  return { number: digitsAt(text, numberAt), sentUs: digitsAt(text, numberAt + numberWidth + 1) };
}

/** Reads the body of a message; undefined if it is not one of ours. */
export function readStamp(text: string): Stamp | undefined {
  const at = text.indexOf(bodyStart);
  return at < 0 ? undefined : stampAt(text, at);
}

/** The number in an `accepted` frame, or in an `error` that answers a send. */
export function readClientId(text: string): number | undefined {
  const key = '"clientId":"m';
  const at = text.indexOf(key);
  return at < 0 ? undefined : digitsAt(text, at + key.length);
}

function scanDeliver(text: string): Delivered[] | undefined {
  const key = '"message":{';
  const positionKey = '"position":';
  const delivered: Delivered[] = [];
  let before = 0;
  let item = text.indexOf(key);
  while (item >= 0) {
    const next = text.indexOf(key, item + key.length);
    const end = next < 0 ? text.length : next;
    const seqAt = text.indexOf('"seq":', item);
    const bodyAt = text.indexOf(bodyStart, item);
    if (seqAt < 0 || bodyAt < 0 || seqAt > end || bodyAt > end) return undefined;
    const { number, sentUs } = stampAt(text, bodyAt);
    const positionAt = text.slice(before, item).indexOf(positionKey);
    const position = positionAt < 0 ? undefined : digitsAt(text, before + positionAt + positionKey.length);
    const seq = digitsAt(text, seqAt + 6);
    if (Number.isNaN(number + sentUs + (position ?? 0) + seq)) return undefined;
    delivered.push({ number, sentUs, position, seq });
    before = bodyAt;
    item = next;
  }
  return delivered.length > 0 ? delivered : undefined;
}

type DeliverFrame = { items: { position?: number; message: { seq: number; body: unknown } }[] };

/** The slow way, correct for any order of fields. Messages that are not ours are left out. */
const parseDeliver = (text: string): Delivered[] =>
  (JSON.parse(text) as DeliverFrame).items.flatMap(({ position, message }) => {
    const stamp = typeof message.body === 'string' ? readStamp(message.body) : undefined;
    return stamp ? [{ number: stamp.number, sentUs: stamp.sentUs, position, seq: message.seq }] : [];
  });

const comparedOnceIn = 256;
let untilCompared = 0;

/** The type of a frame, without parsing if it is at its usual place. */
export const frameType = (text: string): string =>
  text.startsWith('{"type":"') ? text.slice(9, text.indexOf('"', 9)) : (JSON.parse(text) as { type: string }).type;

/** The messages of a `deliver` frame. One frame in 256 is also parsed as JSON; a difference is a fault of this file. */
export function readDeliver(text: string): Delivered[] {
  const scanned = scanDeliver(text);
  if (!scanned) return parseDeliver(text);
  if (untilCompared > 0) {
    untilCompared -= 1;
    return scanned;
  }
  untilCompared = comparedOnceIn;
  if (JSON.stringify(scanned) !== JSON.stringify(parseDeliver(text))) {
    throw new Error(`a deliver frame was read wrongly: ${text.slice(0, 500)}`);
  }
  return scanned;
}
