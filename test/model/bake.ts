import type { Model } from './explore.ts';

/**
 * Amendments are put into blocks while blocks are merged, moved into the cold store and removed. A step is one call of
 * the store or of the place of objects, so anything may happen between two steps of one process, and each process may
 * be stopped between any two of its own.
 *
 * One message lies in one of two neighbouring blocks. It is amended twice. A text is the number of the amendment that
 * it reflects, 0 as it was sent. Promise: once the newest row is marked, no block and no object that is left has an
 * older text, and no block that is kept loses its text.
 */
export type BakeRules = {
  /** A merge compares the revisions of all of its blocks; of the first alone; of none. */
  mergeCompares?: 'all' | 'first' | 'none';
  /** A move into the cold store compares the revision. */
  coldCompares?: boolean;
  /** Putting texts into a block compares the revision. */
  rewriteCompares?: boolean;
  /** An object of a revision is written once, and whoever finds one goes on with it. */
  writesOnce?: boolean;
  /** Who goes on with an object of another marks its row only if the object has the amendment. */
  looksAtObject?: boolean;
  /** A row is marked only if it is still the one that was read. */
  marksAsRead?: boolean;
  /** A newer amendment takes the mark away. */
  newerUnmarks?: boolean;
  /** Objects of a lower revision than their block's are removed. */
  dropsLower?: boolean;
  /** Objects of a higher revision than their block's are kept. */
  keepsHigher?: boolean;
  /** Objects of the revision of a block that is warm are kept. */
  keepsWarm?: boolean;
};

const amendments = 2;

/** `merged`: its range covers both neighbours. */
type Place = { merged: boolean; rev: number };
type Block = Place & { text: number; at: 'store' | 'cold' };

type Baker = {
  /** The amendment that was read from the row. */
  row: number;
  step: 'look' | 'rewrite' | 'put' | 'commit' | 'mark';
  read: Block | null;
};

type State = {
  /** Which of two neighbours holds the message. */
  holder: 'first' | 'second';
  /** Null: retention has removed it. */
  block: Block | null;
  /** The text of each object, by its name. */
  objects: Record<string, number>;
  row: number;
  marked: boolean;
  bakers: (Baker | null)[];
  merger: Block | null;
  cooler: { read: Block; step: 'put' | 'commit' } | null;
  /** The object that is about to be removed. */
  discarding: string | null;
};

const initial = (holder: State['holder']): State => ({
  holder,
  block: { merged: false, rev: 0, text: 0, at: 'store' },
  objects: {},
  row: 0,
  marked: false,
  bakers: [null, null],
  merger: null,
  cooler: null,
  discarding: null,
});

const nameOf = ({ merged, rev }: Place): string => `${merged ? 'merged' : 'own'}.${rev}`;
const placeOf = (name: string): Place => ({ merged: name.startsWith('merged'), rev: Number(name.split('.')[1]) });

/** A block with its text, from wherever that is; null: there is none, or its object was removed meanwhile. */
function read({ block, objects }: State): Block | null {
  if (block === null || block.at === 'store') return block;
  const text = objects[nameOf(block)];
  return text === undefined ? null : { ...block, text };
}

const isSame = (a: Place, b: Place, compares: boolean): boolean =>
  a.merged === b.merged && (!compares || a.rev === b.rev);

const withBaker = (state: State, i: number, baker: Baker | null): State => ({
  ...state,
  bakers: state.bakers.map((other, j) => (j === i ? baker : other)),
});

function bakerSteps(state: State, i: number, rules: Required<BakeRules>): [string, State][] {
  const baker = state.bakers[i]!;
  const { block } = state;
  const become = (next: Baker | null, change: Partial<State> = {}): State =>
    withBaker({ ...state, ...change }, i, next);
  if (baker === null) {
    if (state.row === 0 || state.marked) return [];
    return [[`baker ${i} reads the row`, become({ row: state.row, step: 'look', read: null })]];
  }
  const { row } = baker;
  const stops: [string, State] = [`baker ${i} is stopped`, become(null)];
  const name = baker.read && nameOf({ ...baker.read, rev: baker.read.rev + 1 });
  switch (baker.step) {
    case 'look': {
      const found = read(state);
      if (found === null && block !== null) return [[`baker ${i} finds no object`, become(null)]];
      const step = found === null || found.text >= row ? 'mark' : found.at === 'cold' ? 'put' : 'rewrite';
      return [[`baker ${i} looks at the block`, become({ row, step, read: found })], stops];
    }
    case 'rewrite': {
      const fits = block !== null && block.at === 'store' && isSame(block, baker.read!, rules.rewriteCompares);
      return [
        [
          `baker ${i} rewrites the block`,
          fits
            ? become({ ...baker, step: 'mark', read: null }, { block: { ...block, rev: block.rev + 1, text: row } })
            : become(null),
        ],
        stops,
      ];
    }
    case 'put': {
      const isThere = state.objects[name!] !== undefined && rules.writesOnce;
      const objects = isThere ? state.objects : { ...state.objects, [name!]: row };
      return [[`baker ${i} puts the object ${name}`, become({ ...baker, step: 'commit' }, { objects })], stops];
    }
    case 'commit': {
      const text = state.objects[name!];
      if (text === undefined) return [[`baker ${i} misses its object`, become(null)]];
      const fits = block !== null && block.at === 'cold' && isSame(block, baker.read!, rules.rewriteCompares);
      const has = text >= row || !rules.looksAtObject;
      const next: Baker | null = fits && has ? { row, step: 'mark', read: null } : null;
      const change = fits ? { block: { ...block, rev: block.rev + 1, text } } : {};
      return [[`baker ${i} raises the revision`, become(next, change)], stops];
    }
    case 'mark': {
      const isAsRead = state.row === row || !rules.marksAsRead;
      return [[`baker ${i} marks the row`, become(null, isAsRead ? { marked: state.row > 0 } : {})], stops];
    }
  }
}

function mergerSteps(state: State, { mergeCompares }: Required<BakeRules>): [string, State][] {
  const { block, merger, holder } = state;
  if (merger === null) {
    const isThere = block !== null && block.at === 'store' && !block.merged;
    return isThere ? [['the merger reads', { ...state, merger: block }]] : [];
  }
  const compares = mergeCompares === 'all' || (mergeCompares === 'first' && holder === 'first');
  const fits = block !== null && block.at === 'store' && isSame(block, merger, compares);
  return [
    ['the merger writes', { ...state, merger: null, ...(fits ? { block: { ...merger, merged: true } } : {}) }],
    ['the merger is stopped', { ...state, merger: null }],
  ];
}

function coolerSteps(state: State, { coldCompares }: Required<BakeRules>): [string, State][] {
  const { block, cooler } = state;
  if (cooler === null) {
    if (block === null || block.at !== 'store') return [];
    return [['the cooler reads', { ...state, cooler: { read: block, step: 'put' } }]];
  }
  const stops: [string, State] = ['the cooler is stopped', { ...state, cooler: null }];
  const name = nameOf(cooler.read);
  if (cooler.step === 'put') {
    const objects = { ...state.objects, [name]: cooler.read.text };
    return [[`the cooler puts ${name}`, { ...state, objects, cooler: { ...cooler, step: 'commit' } }], stops];
  }
  const fits = block !== null && block.at === 'store' && isSame(block, cooler.read, coldCompares);
  // The row says where its texts are: without the comparison it is the object that was read for.
  const cold = fits ? { block: { ...block, rev: cooler.read.rev, at: 'cold' as const, text: cooler.read.text } } : {};
  return [['the cooler makes it cold', { ...state, cooler: null, ...cold }], stops];
}

/** Whether an object may go, as the discarding part finds the block now. */
function mayGo({ block }: State, name: string, rules: Required<BakeRules>): boolean {
  const place = placeOf(name);
  if (block === null || block.merged !== place.merged) return true;
  if (block.rev > place.rev) return rules.dropsLower;
  if (block.rev < place.rev) return !rules.keepsHigher;
  return block.at === 'store' && !rules.keepsWarm;
}

function otherSteps(state: State, rules: Required<BakeRules>): [string, State][] {
  const steps: [string, State][] = [];
  if (state.row < amendments && state.block !== null) {
    const marked = state.marked && !rules.newerUnmarks;
    steps.push([`amendment ${state.row + 1} is archived`, { ...state, row: state.row + 1, marked }]);
  }
  if (state.block !== null && state.row === amendments)
    steps.push(['retention removes the message', { ...state, block: null, row: 0, marked: false }]);
  if (state.discarding !== null) {
    const { [state.discarding]: _, ...objects } = state.objects;
    steps.push([`${state.discarding} is removed`, { ...state, objects, discarding: null }]);
  } else
    for (const name of Object.keys(state.objects))
      if (mayGo(state, name, rules)) steps.push([`${name} is found to be of no use`, { ...state, discarding: name }]);
  return steps;
}

const kept: Required<BakeRules> = {
  mergeCompares: 'all',
  coldCompares: true,
  rewriteCompares: true,
  writesOnce: true,
  looksAtObject: true,
  marksAsRead: true,
  newerUnmarks: true,
  dropsLower: true,
  keepsHigher: true,
  keepsWarm: true,
};

export function bake(without: BakeRules = {}): Model<State> {
  const rules = { ...kept, ...without };
  return {
    // Only a merge that does not compare both tells the two apart.
    initial: [initial(rules.mergeCompares === 'first' ? 'second' : 'first')],
    key: ({ bakers, objects, ...state }) =>
      JSON.stringify([
        state,
        bakers.map((baker) => JSON.stringify(baker)).toSorted(),
        Object.entries(objects).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ]),
    next: (state) => [
      ...bakerSteps(state, 0, rules),
      ...bakerSteps(state, 1, rules),
      ...mergerSteps(state, rules),
      ...coolerSteps(state, rules),
      ...otherSteps(state, rules),
    ],
    violated(state) {
      const { block, objects, row, marked } = state;
      if (block === null) return null;
      const found = read(state);
      if (found === null) return 'a block has lost its text';
      if (marked && found.text < row) return 'an older text is stored, and nobody looks at it again';
      const isAtRest = marked && row === amendments && restsOtherwise(state, rules);
      const isLeft = Object.values(objects).some((text) => text < row);
      return isAtRest && isLeft ? 'an object with an older text is left for good' : null;
    },
    resting: (state) =>
      restsOtherwise(state, rules) && (state.block === null || (state.row === amendments && state.marked)),
  };
}

/** Nobody is at work, and no object is to be removed. */
const restsOtherwise = (state: State, rules: Required<BakeRules>): boolean =>
  state.bakers.every((baker) => baker === null) &&
  state.merger === null &&
  state.cooler === null &&
  state.discarding === null &&
  !Object.keys(state.objects).some((name) => mayGo(state, name, rules));
