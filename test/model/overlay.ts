import type { Model } from './explore.ts';

/**
 * Amendments in one user's inbox (append-inbox.lua, page-inbox.lua, install-user.lua). Seq 1 is the message. Later seqs
 * amend it, or are the user's leave and rejoining. Two fanouts append them, each from its own place. Each begins again
 * at the oldest unsettled entry at any time. Entries are cut at any time, and pages are read at any time.
 *
 * Once, something is lost: the shard comes back as it was at some moment before, or another node has lost something.
 * The partition's stream is whole or gone. After that the user is loaded from history before anything is read.
 *
 * Promise: a page shows the message as the newest amendment left it of which the inbox knows, or withheld where the
 * user does not see that amendment. Of the amendments only the newest shows its body.
 */
export type OverlayRules = {
  /** The entry of an amendment is written in one step, its overlay in the next. */
  entryFirst?: true;
  /** A page reads the overlays in a step after its entries. */
  overlaysAfter?: true;
  /** An overlay takes the place of whatever is there. */
  whateverSeq?: true;
  /** What the inbox has already writes its overlay again. */
  overlayOnSkip?: true;
  /** Cutting any amendment removes the overlay. */
  cutsWhatever?: true;
  /** Cutting leaves the overlay. */
  cutLeaves?: true;
  /** Any entry may be cut first. */
  anyOrder?: true;
  /** Who has left is told nothing. */
  noBlank?: true;
  /** … or is told only while the message itself is in the inbox. */
  blankForMessage?: true;
  /** The walk drops an overlay without an entry whatever the inbox holds. */
  walksEarly?: true;
  /** After a loss the user is not loaded. */
  noLoad?: true;
  /** … or its entries stay, whatever history has amended. */
  loadKeeps?: true;
  /** … or what was appended since the loss counts as known. */
  forgetsBefore?: true;
  /** … or what a user passed over by leaving and coming back counts as known. */
  notesGapsOnly?: true;
  /** … or the newest amendment is read from history before the last seq. */
  amendmentFirst?: true;
  /** … or what the stream has amended, and history does not know yet, is not asked for. */
  historyAlone?: true;
  /** What came back in the stream is appended with its body, whatever amendment stands behind it. */
  appendsOutdated?: true;
};

/** `a`: an amendment that the user gets. `b`: one that it does not see. `l`, `j`: it leaves, joins. `m`: a message. */
type Kind = 'm' | 'a' | 'b' | 'l' | 'j';
/** Position 0: without an entry. */
type Overlay = { amendSeq: number; position: number };
type Slot = {
  /** Seq and position; a gap has the seq up to which it reaches. */
  entries: readonly (readonly [seq: number, position: number])[];
  head: number;
  last: number;
  overlay: Overlay | null;
  /** The last seq, unless it is 0, when the first seqs were passed over since the loss, before the load. */
  before: number | null;
  /** The newest amendment of which the inbox knows. Not in the code: what pages are compared with. */
  due: number;
};
type Fanout = { at: number; /** The overlay that is still to be written. */ owes: Overlay | null };
type State = {
  story: string;
  slot: Slot;
  fanouts: readonly Fanout[];
  settled: number;
  stored: number;
  saved: Slot | null;
  isLost: boolean;
  /** After a loss that left the stream whole: its last seq. */
  cameBack: number;
  /** The steps of a load; null: nothing is to be loaded. */
  load: { last: number | null; amended: number | null; due: number } | null;
  page: { entries: Slot['entries']; due: number } | null;
  left: { cuts: number; repeats: number };
  fault: string | null;
};

const stories = ['maa', 'mam', 'mlb', 'mlbja', 'malb'];
const skippedTo = 99;
const empty: Slot = { entries: [], head: 0, last: 0, overlay: null, before: null, due: 0 };

const kindOf = ({ story }: State, seq: number): Kind => story[seq - 1] as Kind;
const isAmendment = (kind: Kind): boolean => kind === 'a' || kind === 'b';
/** The newest amendment up to a seq. */
function amendedAt({ story }: State, seq: number): number {
  for (let at = seq; at > 0; at -= 1) if (isAmendment(story[at - 1] as Kind)) return at;
  return 0;
}
/** The last seq that the user sees, up to a seq. */
function visibleAt({ story }: State, seq: number): number {
  for (let at = seq; at > 0; at -= 1) if (story[at - 1] !== 'b') return at;
  return 0;
}
const replaced = <T>(list: readonly T[], index: number, value: T): T[] =>
  list.map((one, at) => (at === index ? value : one));

function laid(slot: Slot, overlay: Overlay, rules: OverlayRules): Slot {
  const isNewer = slot.overlay === null || overlay.amendSeq > slot.overlay.amendSeq;
  return isNewer || rules.whateverSeq ? { ...slot, overlay } : slot;
}

/** Whether a fanout that works off what came back in the stream finds an amendment of this entry further on. */
const isOutdated = (state: State, at: number): boolean =>
  state.cameBack > 0 && 'ma'.includes(kindOf(state, at)) && amendedAt(state, state.cameBack) > at;

/** One append of one fanout. */
function append(state: State, index: number, rules: OverlayRules): State {
  const { at } = state.fanouts[index]!;
  const kind = kindOf(state, at);
  const { slot } = state;
  const goOn = (next: Slot, owes: Overlay | null = null): State => ({
    ...state,
    slot: next,
    fanouts: replaced(state.fanouts, index, { at: at + 1, owes }),
  });
  if (kind === 'b') {
    // No entry and no position: only what the message, and an amendment before, read like from now on.
    const told = { ...slot, due: Math.max(slot.due, at) };
    const isNeeded = slot.entries.some(([seq]) => seq === 1 || (!rules.blankForMessage && kindOf(state, seq) === 'a'));
    return goOn(rules.noBlank || !isNeeded ? told : laid(told, { amendSeq: at, position: 0 }, rules));
  }
  if (slot.last >= at) {
    const again = kind === 'a' && rules.overlayOnSkip;
    return goOn(again ? laid(slot, { amendSeq: at, position: slot.head }, rules) : slot);
  }
  const position = slot.head + 1;
  if (isOutdated(state, at) && !rules.appendsOutdated) {
    const gap = { ...slot, head: position, last: at, due: kind === 'a' ? Math.max(slot.due, at) : slot.due };
    return goOn(kind === 'a' ? laid(gap, { amendSeq: at, position: 0 }, rules) : gap);
  }
  const next: Slot = { ...slot, entries: [...slot.entries, [at, position]], head: position, last: at };
  if (kind !== 'a') return goOn(next);
  const overlay = { amendSeq: at, position };
  const told = { ...next, due: Math.max(next.due, at) };
  return rules.entryFirst ? goOn(told, overlay) : goOn(laid(told, overlay, rules));
}

function cut(state: State, index: number, rules: OverlayRules): State {
  const { slot } = state;
  const [seq, position] = slot.entries[index]!;
  const entries = slot.entries.filter((_, at) => at !== index);
  const isOverlay = kindOf(state, seq) === 'a' && (rules.cutsWhatever || slot.overlay?.position === position);
  return {
    ...state,
    slot: { ...slot, entries, overlay: isOverlay && !rules.cutLeaves ? null : slot.overlay },
    left: { ...state.left, cuts: state.left.cuts - 1 },
  };
}

/** What is wrong with a page. */
function faultOf(state: State, entries: Slot['entries'], overlay: Overlay | null, due: number): string | null {
  for (const [seq, position] of entries) {
    const kind = kindOf(state, seq);
    if (seq === 1) {
      const shown = overlay?.amendSeq ?? 0;
      if (shown < due) return `the message as amendment ${shown} left it, after ${due}`;
    } else if (kind === 'a') {
      const hasBody = overlay?.position === position;
      if (hasBody && seq < due) return `amendment ${seq} with its body, after ${due}`;
      if (!hasBody && seq === due && seq >= (overlay?.amendSeq ?? 0)) return `amendment ${seq} without its body`;
    }
  }
  return null;
}

/**
 * A message that was accepted since the loss, above what the loss has skipped. To who had left it comes with the news
 * that the user is back, and no gap.
 */
function appendAbove({ slot, ...state }: State, rules: OverlayRules): State {
  const isBack = state.story.lastIndexOf('l') > state.story.lastIndexOf('j');
  const [seq, position] = [skippedTo, slot.head + 1];
  const entries = [...slot.entries, [seq, position] as const];
  const isNoted = slot.last > 0 && !(isBack && rules.notesGapsOnly);
  const before = slot.before ?? (isNoted ? slot.last : null);
  return { ...state, slot: { ...slot, entries, head: position, last: seq, before } };
}

/** Gives the user what history knows, and cuts what was amended since by what history or the stream knows. */
function install(state: State, last: number, amended: number, rules: OverlayRules): State {
  const { slot, load } = state;
  const seen = visibleAt(state, last);
  const known = rules.forgetsBefore ? slot.last : (slot.before ?? slot.last);
  const newest = Math.max(amended, rules.historyAlone ? 0 : amendedAt(state, state.cameBack));
  const keeps = newest <= known || rules.loadKeeps;
  const entries = keeps ? slot.entries : [];
  const overlay = keeps ? slot.overlay : null;
  const next: Slot = {
    entries,
    overlay,
    head: slot.head + 1,
    last: Math.max(slot.last, seen),
    before: null,
    due: Math.max(slot.due, load!.due, amendedAt(state, seen)),
  };
  return { ...state, slot: next, load: null };
}

function loadSteps(state: State, rules: OverlayRules): [string, State][] {
  const { last, amended, due } = state.load!;
  const newest = amendedAt(state, state.stored);
  const lastIsNext = last === null && (amended !== null || !rules.amendmentFirst);
  if (lastIsNext)
    return [[`the load reads last seq ${state.stored}`, { ...state, load: { last: state.stored, amended, due } }]];
  if (amended === null)
    return [[`the load reads amendment ${newest}`, { ...state, load: { last, amended: newest, due } }]];
  return [[`the load installs ${last}, amended ${amended}`, install(state, last!, amended, rules)]];
}

function* lossSteps(state: State, rules: OverlayRules): Generator<[string, State]> {
  if (state.isLost) return;
  const { story, saved, slot } = state;
  for (const [from, back] of [['is whole', slot] as const, ['is old', saved] as const]) {
    if (back === null) continue;
    for (const isKept of [true, false]) {
      // Group `inbox` begins again with what the stream has. What neither it, history nor the inbox has is lost.
      const known = isKept ? story : story.slice(0, Math.max(state.stored, slot.last));
      const at = isKept ? 1 : known.length + 1;
      // Nobody sees an amendment taken back that is still somewhere.
      const due = Math.max(amendedAt(state, state.stored), isKept ? slot.due : 0);
      yield [
        `a loss: the shard ${from}, the stream is ${isKept ? 'whole' : 'gone'}`,
        {
          ...state,
          slot: rules.noLoad ? { ...back, due: Math.max(back.due, due) } : back,
          fanouts: state.fanouts.map(() => ({ at, owes: null })),
          settled: at - 1,
          story: known,
          isLost: true,
          cameBack: isKept ? story.length : 0,
          saved: null,
          load: rules.noLoad ? null : { last: null, amended: null, due },
          page: null,
        },
      ];
    }
  }
}

export type OverlayBounds = { fanouts: number; cuts: number; repeats: number; loses: boolean };

export function overlayModel(bounds: OverlayBounds, rules: OverlayRules = {}): Model<State> {
  const initial = stories.map((story): State => ({
    story,
    slot: empty,
    fanouts: Array.from({ length: bounds.fanouts }, () => ({ at: 1, owes: null })),
    settled: 0,
    stored: 0,
    saved: null,
    isLost: !bounds.loses,
    cameBack: 0,
    load: null,
    page: null,
    left: { cuts: bounds.cuts, repeats: bounds.repeats },
    fault: null,
  }));

  function* fanoutSteps(state: State, index: number): Generator<[string, State]> {
    const { at, owes } = state.fanouts[index]!;
    const { story, settled, left } = state;
    const goTo = (next: number): State['fanouts'] => replaced(state.fanouts, index, { at: next, owes: null });
    const name = `fanout ${index + 1}`;
    if (owes !== null) {
      yield [`${name} writes its overlay`, { ...state, slot: laid(state.slot, owes, rules), fanouts: goTo(at) }];
      return;
    }
    if (at <= story.length) yield [`${name} handles ${at}`, append(state, index, rules)];
    if (at - 1 > settled) yield [`${name} settles ${at - 1}`, { ...state, settled: at - 1 }];
    if (at > settled + 1 && left.repeats > 0)
      yield [
        `${name} begins again`,
        { ...state, fanouts: goTo(settled + 1), left: { ...left, repeats: left.repeats - 1 } },
      ];
  }

  return {
    initial,
    key: ({ fanouts, ...state }) => JSON.stringify([state, fanouts.map((one) => JSON.stringify(one)).toSorted()]),
    next(state) {
      const { slot, story, stored, saved, isLost, load, page, left } = state;
      // Until the user is loaded nothing else touches its inbox but what history stores.
      const steps: [string, State][] = [];
      if (bounds.loses && stored < story.length)
        steps.push([`${stored + 1} is archived`, { ...state, stored: stored + 1 }]);
      for (const index of state.fanouts.keys()) steps.push(...fanoutSteps(state, index));
      if (left.cuts > 0)
        slot.entries.forEach(([seq], index) => {
          if (index === 0 || rules.anyOrder) steps.push([`${seq} is cut`, cut(state, index, rules)]);
        });
      const isBlank = slot.overlay?.position === 0;
      if (isBlank && (rules.walksEarly || !slot.entries.some(([seq]) => seq === 1)))
        steps.push(['the walk drops the overlay', { ...state, slot: { ...slot, overlay: null } }]);
      const isGone = state.fanouts.every(({ at }) => at > story.length);
      if (load !== null && isGone && slot.last < skippedTo)
        steps.push([`${skippedTo} is appended`, appendAbove(state, rules)]);
      if (load !== null) return [...steps, ...loadSteps(state, rules)];
      if (page !== null)
        steps.push([
          'the page reads its overlays',
          { ...state, page: null, fault: faultOf(state, page.entries, slot.overlay, page.due) },
        ]);
      else if (rules.overlaysAfter && slot.entries.length > 0)
        steps.push(['a page reads its entries', { ...state, page: { entries: slot.entries, due: slot.due } }]);
      if (saved === null && !isLost) steps.push(['Redis is dumped', { ...state, saved: slot }]);
      steps.push(...lossSteps(state, rules));
      return steps;
    },
    violated(state) {
      const { slot, fanouts, load, fault } = state;
      if (fault !== null) return fault;
      if (slot.overlay !== null && slot.overlay.position > 0) {
        const stands = slot.entries.some(([, position]) => position === slot.overlay!.position);
        if (!stands) return 'an overlay stays without its entry';
      }
      // Between its two steps an amendment is not read by anybody in this model.
      const isRead = load === null && !rules.overlaysAfter;
      return isRead && fanouts.length > 0 ? faultOf(state, slot.entries, slot.overlay, slot.due) : null;
    },
    resting: ({ story, settled, load, page }) => settled === story.length && load === null && page === null,
  };
}
