import type { Model } from './explore.ts';

/**
 * One message that is amended, as Redis, history and those who read it see it. Two gateways amend it. One archive
 * stores the message, which is version 0, and its amendments, and may die between any two steps. Two readers share
 * reads of the store, and keep what they read in Redis. Versions stand for the seqs of amendments: both rise together.
 */
export type Rules = {
  /** amend-message.lua: what Redis noted of a message counts more than what the caller has looked up. */
  notesWin: boolean;
  /** A look-up asks Redis first for what is not stored yet, and then the store. */
  redisFirst: boolean;
  /** amend-message.lua: a look-up that is older than notes may be is made again. */
  freshLookups: boolean;
  /** The archive settles an amendment after its row is stored. */
  rowFirst: boolean;
  /** read-conversation.lua, keep-recent.lua: kept texts count only with the number of the newest amendment. */
  number: boolean;
  /** keep-recent.lua: `continue` adds no text that may be amended: none from the newest amendment down. */
  continueGuard: boolean;
  /** A reader joins a read of the store only if it knows of no amendment above those of the reader who began it. */
  joinsNotAbove: boolean;
  /** Who joins also takes over what was not stored yet when the read was begun. */
  joinsUnsettled: boolean;
};
export const all: Rules = {
  notesWin: true,
  redisFirst: true,
  freshLookups: true,
  rowFirst: true,
  number: true,
  continueGuard: true,
  joinsNotAbove: true,
  joinsUnsettled: true,
};

const mostAmendments = 2;

/** A look-up: of `redis`, `store`, or both; `known`: the version that it found. */
type Lookup = { has: 'redis' | 'store' | 'both'; known: number; isOld: boolean } | null;
type Reader = {
  at: 'idle' | 'asked' | 'waits' | 'has';
  /** The number of the newest amendment, and the newest that was not stored, when Redis was asked. */
  number: number;
  unsettled: number;
  /** Whether history had the message when Redis was asked: only then is it kept. */
  isStored: boolean;
  got: number;
};
/** A read of the store under way, with what its first reader knew; `row` null: the store has not looked yet. */
type Flight = { number: number; unsettled: number; row: number | null } | null;

export type State = {
  /** The newest amendment that was accepted, and what the archive has not settled. */
  newest: number;
  unsettled: number[];
  row: number;
  /** The amendment that the archive works on. */
  archive: { version: number; done: 'stored' | 'settled' } | null;
  notes: number | null;
  lookups: Lookup[];
  /** `version` null: texts below the message are kept, and it is not. */
  recent: { version: number | null; number: number } | null;
  readers: Reader[];
  flight: Flight;
  fault: string | null;
};

const idle: Reader = { at: 'idle', number: 0, unsettled: 0, isStored: false, got: 0 };
const start: State = {
  newest: 0,
  unsettled: [0],
  row: 0,
  archive: null,
  notes: null,
  lookups: [null, null],
  recent: null,
  readers: [idle, idle],
  flight: null,
  fault: null,
};

const top = (unsettled: number[]): number => Math.max(0, ...unsettled);
const inForce = ({ unsettled, row }: State): number => Math.max(row, top(unsettled));

type Step = [label: string, state: State];

/** The script with a state that it knows: the next version is one above. */
function accepted(state: State, known: number): State {
  const version = known + 1;
  if (version <= state.newest) return { ...state, fault: `two amendments of version ${version}` };
  return { ...state, newest: version, notes: version, unsettled: [...state.unsettled, version] };
}

function amending(state: State, rules: Rules): Step[] {
  const steps: Step[] = [];
  const set = (i: number, lookup: Lookup, rest: Partial<State> = {}): State => ({
    ...state,
    ...rest,
    lookups: state.lookups.with(i, lookup),
  });
  state.lookups.forEach((lookup, i) => {
    if (lookup === null) {
      if (state.newest === mostAmendments) return;
      if (state.notes !== null) steps.push([`gateway ${i} amends by the notes`, accepted(state, state.notes)]);
      else if (rules.redisFirst)
        steps.push([`gateway ${i} asks Redis`, set(i, { has: 'redis', known: top(state.unsettled), isOld: false })]);
      else steps.push([`gateway ${i} asks the store`, set(i, { has: 'store', known: state.row, isOld: false })]);
    } else if (lookup.has !== 'both') {
      const other = lookup.has === 'redis' ? state.row : top(state.unsettled);
      const known = Math.max(lookup.known, other);
      const label = lookup.has === 'redis' ? 'asks the store' : 'asks Redis';
      steps.push([`gateway ${i} ${label}`, set(i, { ...lookup, has: 'both', known })]);
    } else if (state.newest === mostAmendments || (rules.freshLookups && lookup.isOld && state.notes === null)) {
      steps.push([`gateway ${i} has to look again`, set(i, null)]);
    } else {
      const known = rules.notesWin && state.notes !== null ? state.notes : lookup.known;
      steps.push([`gateway ${i} amends with what it looked up`, accepted(set(i, null), known)]);
    }
  });
  // Notes stay much longer than a look-up is good for.
  if (state.notes !== null) {
    const lookups = state.lookups.map((lookup) => lookup && { ...lookup, isOld: true });
    steps.push(['the notes expire', { ...state, notes: null, lookups }]);
  }
  return steps;
}

/** Before it settles, the archive continues what is kept with texts as they were sent. */
function continued({ recent, newest }: State, version: number, rules: Rules): State['recent'] {
  if (recent === null || (rules.continueGuard && newest > 0)) return null;
  return { ...recent, version: version === 0 ? 0 : recent.version };
}

function archiving(state: State, rules: Rules): Step[] {
  const { archive, unsettled } = state;
  const stored = (version: number): Pick<State, 'row'> => ({ row: Math.max(state.row, version) });
  const settled = (version: number): Pick<State, 'unsettled'> => ({
    unsettled: unsettled.filter((one) => one !== version),
  });
  if (archive === null) {
    const [version] = unsettled;
    if (version === undefined) return [];
    return rules.rowFirst
      ? [[`the archive stores ${version}`, { ...state, ...stored(version), archive: { version, done: 'stored' } }]]
      : [[`the archive settles ${version}`, { ...state, ...settled(version), archive: { version, done: 'settled' } }]];
  }
  const { version, done } = archive;
  if (done === 'settled') return [[`the archive stores ${version}`, { ...state, ...stored(version), archive: null }]];
  const ended = { ...state, ...settled(version), archive: null };
  return [
    [
      `the archive continues what is kept, and settles ${version}`,
      { ...ended, recent: continued(state, version, rules) },
    ],
    [`the archive settles ${version}`, ended],
    ['the archive dies', { ...state, archive: null }],
  ];
}

function reading(state: State, rules: Rules): Step[] {
  const steps: Step[] = [];
  const set = (i: number, reader: Reader, rest: Partial<State> = {}): State => ({
    ...state,
    ...rest,
    readers: state.readers.with(i, reader),
  });
  state.readers.forEach((reader, i) => {
    const { at, number, unsettled } = reader;
    switch (at) {
      case 'idle': {
        const must = state.newest;
        const { recent } = state;
        if (recent !== null && recent.version !== null && (!rules.number || recent.number === state.newest)) {
          const got = Math.max(recent.version, top(state.unsettled));
          if (got < must) {
            const fault = `a hot page shows version ${got} after ${must} was answered`;
            steps.push([`reader ${i} reads what is kept`, { ...state, fault }]);
          }
        }
        const asked: Reader = {
          at: 'asked',
          number: state.newest,
          unsettled: top(state.unsettled),
          isStored: !state.unsettled.includes(0),
          got: 0,
        };
        steps.push([`reader ${i} asks Redis`, set(i, asked)]);
        return;
      }
      case 'asked': {
        const waits: Reader = { ...reader, at: 'waits' };
        const { flight } = state;
        if (flight === null)
          steps.push([`reader ${i} begins a read`, set(i, waits, { flight: { number, unsettled, row: null } })]);
        else if (!rules.joinsNotAbove || number <= flight.number)
          steps.push([`reader ${i} joins the read`, set(i, waits)]);
        else {
          const got = Math.max(unsettled, state.row);
          steps.push([`reader ${i} reads alone`, set(i, { ...reader, at: 'has', got })]);
        }
        return;
      }
      case 'waits':
        return;
      case 'has': {
        steps.push([`reader ${i} is done`, set(i, idle)]);
        const keeps = !rules.number || number === state.newest;
        if (keeps) {
          const recent = { version: reader.isStored ? reader.got : null, number: state.newest };
          steps.push([`reader ${i} keeps what it read`, set(i, idle, { recent })]);
        }
        return;
      }
    }
  });
  const { flight } = state;
  if (flight !== null && flight.row === null)
    steps.push(['the store looks', { ...state, flight: { ...flight, row: state.row } }]);
  else if (flight !== null) {
    const found = rules.joinsUnsettled ? Math.max(flight.row!, flight.unsettled) : flight.row!;
    const readers = state.readers.map((reader): Reader =>
      reader.at === 'waits' ? { ...reader, at: 'has', got: Math.max(found, reader.unsettled) } : reader,
    );
    const late = readers.find(({ at, got, number }) => at === 'has' && got < number);
    const fault = late === undefined ? null : `a page shows version ${late.got} after ${late.number} was answered`;
    steps.push(['the store answers', { ...state, readers, flight: null, fault }]);
  }
  if (state.recent !== null) steps.push(['what is kept expires', { ...state, recent: null }]);
  return steps;
}

export const amendment = (rules: Rules): Model<State> => ({
  initial: [start],
  // Gateways and readers are interchangeable.
  key: ({ lookups, readers, ...rest }) =>
    JSON.stringify([
      lookups.map((one) => JSON.stringify(one)).sort(),
      readers.map((one) => JSON.stringify(one)).sort(),
      rest,
    ]),
  next: (state) =>
    state.fault === null ? [...amending(state, rules), ...archiving(state, rules), ...reading(state, rules)] : [],
  violated: ({ fault }) => fault,
  resting: (state) =>
    state.newest === mostAmendments &&
    state.unsettled.length === 0 &&
    state.archive === null &&
    state.flight === null &&
    inForce(state) === mostAmendments,
});
