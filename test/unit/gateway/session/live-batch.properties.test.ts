import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LiveBatch } from '../../../../gateway/session/live-batch.ts';
import { SharedFrame } from '../../../../gateway/session/shared-frame.ts';
import { pageBytes, pageItems } from '../../../../shared/model/limits.ts';
import { deliverFrame } from '../../../../shared/protocol/frame-text.ts';
import { always } from '../../../support/properties.ts';

/** Characters of three bytes. Mostly few; some items nearly fill a frame. */
const length = fc.oneof({ weight: 30, arbitrary: fc.nat(40) }, fc.integer({ min: 20_000, max: 80_000 }));
const item = fc.record({ length, large: fc.boolean(), ends: fc.boolean() });
const [before, after] = deliverFrame('\0').split('\0') as [string, string];

/** The items in a frame, and whether it came as the bytes of one for many sockets. */
function itemsIn(frame: string): string {
  expect(frame.startsWith(before) && frame.endsWith(after)).toBe(true);
  return frame.slice(before.length, frame.length - after.length);
}

test('live frames have every item once and in order, and none is too large', () => {
  always(
    fc.property(fc.array(item, { maxLength: 20 }), fc.constantFrom(1, 1, 1, 12), (some, times) => {
      const frames: string[] = [];
      const outlet = {
        write: (text: string): void => void frames.push(text),
        writeFrame: (bytes: Buffer): void => void frames.push(bytes.toString('utf8', bytes.indexOf(before))),
        close: (): void => undefined,
      };
      const batch = new LiveBatch();
      const texts: string[] = [];
      // Many, but not many large ones.
      const all = Array.from({ length: times }, (_, i) => some.filter((one) => i === 0 || one.length <= 40)).flat();
      for (const [seq, { length: size, large, ends }] of all.entries()) {
        const message = `{"n":${seq},"x":"${'€'.repeat(size)}"}`;
        const shared = large ? new SharedFrame({ conversation: 'c', seq, text: message }) : null;
        const text = shared?.text ?? message;
        if (!batch.hasRoomFor(text)) {
          expect(batch.size).toBeGreaterThan(0);
          batch.writeTo(outlet);
        }
        batch.add(text, shared);
        texts.push(text);
        expect(batch.size).toBeLessThanOrEqual(pageItems);
        if (ends && times === 1) batch.writeTo(outlet);
      }
      if (batch.size > 0) batch.writeTo(outlet);
      expect(frames.map(itemsIn).join() === texts.join()).toBe(true);
      for (const frame of frames) expect(Buffer.byteLength(frame)).toBeLessThanOrEqual(pageBytes);
    }),
  );
});
