import type { Recorded } from '../recording.ts';
import type { Facts } from './facts.ts';
import { createFrameReader } from './read-frames.ts';
import { createHttpReader } from './read-http.ts';
import { createSightings } from './sightings.ts';

/** Reads a recording from its beginning to its end. Memory grows with what was seen, not with the texts. */
export function gather(events: Iterable<Recorded>): Facts {
  const facts: Facts = {
    run: null,
    devices: new Map(),
    sends: new Map(),
    sightings: [],
    gaps: [],
    changes: [],
    creations: [],
    pages: [],
    summaries: [],
    listed: new Set(),
    reads: [],
    amends: new Map(),
    epochAsks: [],
    epochs: [],
    losses: [],
    poison: [],
    deadLetters: null,
    measured: [],
    waiting: [],
    sendingStopped: null,
    drained: null,
    dumpBegun: null,
    dumpEnded: null,
    lines: 0,
  };
  const sightings = createSightings(facts);
  const frames = createFrameReader(facts, sightings);
  const http = createHttpReader(facts, sightings);
  for (const event of events) {
    facts.lines = event.line;
    take(facts, event, frames, http);
  }
  return facts;
}

function take(
  facts: Facts,
  event: Recorded,
  frames: ReturnType<typeof createFrameReader>,
  http: ReturnType<typeof createHttpReader>,
): void {
  const { line } = event;
  switch (event.type) {
    case 'run':
      facts.run = event;
      return;
    case 'opened':
      return frames.opened(line, event.client);
    case 'closed':
      return frames.closed(line, event.client);
    case 'sent':
      return frames.sent(line, event.client, event.text);
    case 'received':
      return frames.received(line, event.at, event.client, event.text);
    case 'request':
      return http.request(line, event);
    case 'answer':
      return http.answer(line, event);
    case 'loss-possible':
      facts.losses.push({ line, upTo: event.upTo, certain: event.certain === true });
      return;
    case 'poison':
      facts.poison.push({ line, marker: event.marker });
      return;
    case 'dead-letters':
      facts.deadLetters = { line, text: event.text };
      return;
    case 'measured':
      facts.measured.push({ line, phase: event.phase, what: event.what, of: event.of, value: event.value });
      return;
    case 'waiting':
      facts.waiting.push({ line, of: event.of, lag: event.lag, pending: event.pending });
      return;
    case 'sending-stopped':
      facts.sendingStopped = line;
      return;
    case 'drained':
      facts.drained = { line, missing: event.missing };
      return;
    case 'dump-begun':
      facts.dumpBegun = line;
      return;
    case 'dump-ended':
      facts.dumpEnded = { line, complete: event.complete, why: event.why ?? '' };
      return;
    case 'fault-begun':
    case 'fault-ended':
    case 'process':
    case 'healed':
      return;
  }
}
