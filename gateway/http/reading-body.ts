import type { HonoRequest } from 'hono';
import { badRequest, Refusal } from '../../shared/model/errors.ts';
import type { BodyHold } from '../limits/body-budget.ts';

/** How long a body may take to arrive (ms). Until then it uses a part of the budget. */
const withinMs = 15_000;

const jsonType = /^application\/json\s*(;|$)/i;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A client that disconnects in the middle of its body is not a fault of the server. */
function brokenOff(thrown: unknown): never {
  throw thrown instanceof Refusal ? thrown : badRequest('the body did not come as a whole');
}

const tooLarge = (most: number): Refusal => new Refusal('too_large', `the body has more than ${most} bytes`);

/** Rejects when the time is over. The HTTP server discards the rest of the body and closes the connection. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(badRequest('the body did not come in time')), withinMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads a body of unknown length: its bytes are charged as they arrive. */
async function readPieces(stream: ReadableStream<Uint8Array>, most: number, hold: BodyHold): Promise<Uint8Array> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
      length += value.byteLength;
      if (length > most) throw tooLarge(most);
      hold.add(value.byteLength);
      pieces.push(value);
    }
  } finally {
    reader.releaseLock();
  }
}

/**
 * The body of a request as JSON. Its bytes are charged to `hold` before they are read. Rejects with `too_large` above
 * `most` bytes, with `bad_request` if it is not JSON or does not arrive in time, and as `hold` does.
 */
export async function readJson(request: HonoRequest, most: number, hold: BodyHold): Promise<unknown> {
  const type = request.header('content-type');
  if (type !== undefined && !jsonType.test(type)) throw badRequest('the body must be sent as application/json');
  if ((request.header('content-encoding') ?? 'identity') !== 'identity')
    throw badRequest('the body must be sent without an encoding');
  let reading: Promise<ArrayBuffer | Uint8Array>;
  if (request.header('transfer-encoding') === undefined) {
    const length = Number(request.header('content-length') ?? 0);
    if (length > most) throw tooLarge(most);
    hold.add(length);
    // The HTTP parser passes on no more bytes than `content-length` says.
    reading = request.arrayBuffer();
  } else {
    const { body } = request.raw;
    reading =
      body === null ? Promise.resolve(new Uint8Array()) : readPieces(body as ReadableStream<Uint8Array>, most, hold);
  }
  const bytes = await inTime(reading).catch(brokenOff);
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw badRequest('the body is not JSON');
  }
}
