import {
  type Json,
  type Mutation,
  numbered,
  rewrite,
  insert,
  frames,
  ending,
  stopped,
  dumped,
  replaceText,
} from './planting.ts';

/** Faults of the end of a run, of counts, and of what clients are told. */
export const faultsOfEndings: readonly Mutation[] = [
  {
    name: 'devices that never get everything',
    breaks: 'I12',
    plant: (events) =>
      numbered(
        events.map((event) =>
          event.type === 'drained' ? { ...event, missing: ['bob/phone has team up to 3 of 9'] } : event,
        ),
      ),
  },
  {
    name: 'entries that nobody settles',
    breaks: 'I12',
    plant: (events) => insert(events, ending(events), { type: 'waiting', of: 'inbox of p3', lag: 0, pending: 7 }),
  },
  {
    name: 'an unread count that is one too high',
    breaks: 'I13',
    plant(events) {
      let done = false;
      return rewrite(events, (json, event) => {
        const list = json['conversations'] as Json[] | undefined;
        if (done || event.type !== 'answer' || event.line < dumped(events) || list === undefined || list.length === 0)
          return undefined;
        done = true;
        return {
          ...json,
          conversations: [{ ...list[0]!, unread: (list[0]!['unread'] as number) + 1 }, ...list.slice(1)],
        };
      });
    },
  },
  {
    name: 'a client of an older epoch that is not told',
    breaks: 'I15',
    needsLoss: true,
    also: ['I10', 'I22'],
    plant(events) {
      const some = frames(events, 'received', 'welcome').find(({ json }) => json['reset'] === true);
      if (some === undefined) return null;
      const { reset: _, ...rest } = some.json;
      return replaceText(events, some.index, { ...rest, lostSince: undefined });
    },
  },
  {
    name: 'a client that is told of nothing and reset',
    breaks: 'I15',
    plant(events) {
      const some = frames(events, 'received', 'welcome').find(({ json }) => json['reset'] !== true);
      if (some === undefined) return null;
      return replaceText(events, some.index, { ...some.json, reset: true });
    },
  },
  {
    name: 'a poison entry that is buried twice by one group',
    breaks: 'I16',
    plant(events) {
      const letter = (id: string, group: string): Json => ({
        id,
        reason: 'unknown_format',
        content: 'poison-7',
        subject: { group },
      });
      const deadLetters = [letter('1', 'inbox'), letter('2', 'history'), letter('3', 'history')];
      return insert(
        events,
        ending(events),
        { type: 'poison', marker: 'poison-7' },
        { type: 'dead-letters', text: JSON.stringify({ deadLetters }) },
      );
    },
  },
  {
    name: 'a poison entry without a dead letter',
    breaks: 'I16',
    plant: (events) =>
      insert(
        events,
        ending(events),
        { type: 'poison', marker: 'poison-7' },
        { type: 'dead-letters', text: '{"deadLetters":[]}' },
      ),
  },
  {
    name: 'memory that is not given back',
    breaks: 'I17',
    plant: (events) =>
      insert(
        events,
        ending(events),
        { type: 'measured', phase: 'baseline', what: 'rss', of: 'web-1', value: 100e6 },
        { type: 'measured', phase: 'end', what: 'rss', of: 'web-1', value: 900e6 },
      ),
  },
  {
    name: 'an epoch that changes without a cause',
    breaks: 'I24',
    // A device that forgot its position is remembered in an epoch in which it confirmed nothing. A hello right before
    // the middle names the epoch of before, and its welcome does not say that it has changed.
    also: ['I10', 'I15'],
    plant(events) {
      // From the middle on the epoch has another name, and every client is said to have known it.
      const half = Math.floor(stopped(events) / 2);
      const welcomes = frames(events, 'received', 'welcome');
      const [first] = welcomes;
      if (welcomes.some(({ json }) => json['epoch'] !== first?.json['epoch'])) return null;
      const epoch = first?.json['epoch'] as string;
      const renamed = (text: string): string =>
        text.replaceAll(`"epoch":"${epoch}"`, '"epoch":"planted"').replaceAll(`epoch=${epoch}`, 'epoch=planted');
      return numbered(
        events.map((event, index) => {
          if (index < half) return event;
          if (event.type === 'request') return { ...event, path: renamed(event.path) };
          return event.type === 'sent' || event.type === 'received' || event.type === 'answer'
            ? { ...event, text: renamed(event.text) }
            : event;
        }),
      );
    },
  },
];
