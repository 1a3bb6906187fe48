import { Refusal, badRequest } from '../model/errors.ts';
import { idPattern } from '../model/model.ts';
import { type ClientFrame, type ClientFrameType, clientFrames } from './client-frames.ts';
import { isHotFrame } from './hot-frames.ts';

/**
 * A valid frame, or the refusal of an invalid one. `re` and `clientId`: what the answer repeats. `abuse`: the text is
 * not a JSON object.
 */
export type Parsed =
  | { frame: ClientFrame; abuse: false }
  | { refusal: Refusal; re: string | undefined; clientId: string | undefined; abuse: boolean };

const schemas = new Map<string, (typeof clientFrames)[ClientFrameType]>(Object.entries(clientFrames));

const idOrNothing = (value: unknown): string | undefined =>
  typeof value === 'string' && idPattern.test(value) ? value : undefined;

/** The faults that a schema found, in one line. */
export const faults = (issues: readonly { path: PropertyKey[]; message: string }[]): string =>
  issues
    .slice(0, 5)
    .map(({ path, message }) => (path.length > 0 ? `${path.join('.')}: ${message}` : message))
    .join('; ');

/** What answers a type of frame that is unknown here, or whose feature is not served now. */
export const notServed = (): Refusal => new Refusal('bad_frame', 'this type of frame is not served');

/** Reads one text frame. Never throws. */
export function parseFrame(text: string): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return {
      refusal: new Refusal('bad_frame', 'the frame is not JSON'),
      re: undefined,
      clientId: undefined,
      abuse: true,
    };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      refusal: new Refusal('bad_frame', 'the frame is not a JSON object'),
      re: undefined,
      clientId: undefined,
      abuse: true,
    };
  }
  if (isHotFrame(value)) return { frame: value, abuse: false };
  const { type, id, clientId } = value as Record<string, unknown>;
  const re = idOrNothing(id);
  const schema = typeof type === 'string' ? schemas.get(type) : undefined;
  if (schema === undefined) {
    return {
      refusal: notServed(),
      re,
      clientId: undefined,
      abuse: false,
    };
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { frame: parsed.data, abuse: false };
  return {
    refusal: badRequest(faults(parsed.error.issues)),
    re,
    clientId: type === 'send' ? idOrNothing(clientId) : undefined,
    abuse: false,
  };
}
