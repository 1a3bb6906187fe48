import type { StreamedConversation } from '../client/api.ts';
import type { Part } from '../client/part.ts';
import { streamOf } from '../view/stream.ts';

/** The messages of a conversation, one after the other, without holes. */
export const stream: Part<object, StreamedConversation> = (inside) => ({
  conversation({ id, target }) {
    const { storage, clock, writer, acts } = inside;
    const waiting: (() => void)[] = [];
    return {
      methods: {
        stream: ({ after, signal } = {}) =>
          streamOf({
            id,
            storage,
            clock,
            row: () => writer.row(id),
            fill: (range) => acts.fill(id, target(), range),
            changed: () => new Promise((resolve) => waiting.push(resolve)),
            after,
            signal,
          }),
      },
      changed() {
        for (const resolve of waiting.splice(0)) resolve();
      },
    };
  },
});
