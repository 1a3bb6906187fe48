import type { Model } from './explore.ts';

/**
 * Two creators create one large group, step by step as the scripts do. They stage the members in two steps, and a third
 * step creates the group from them. A creator that finds the group there compares in two steps. Either may die between
 * any two steps, and staged members may expire at any time. Members change meanwhile, state may be lost once, and a
 * consumer reads the founders in two steps.
 *
 * Members are bits: 1 and 2 are in the first half, 4 in the second.
 */
export type Rules = {
  /** create-staged.lua: all members must be staged. */
  countsStaged: boolean;
  /** Each creator stages them under a name of its own. */
  ownName: boolean;
  /** stage-members.lua: staged members expire. */
  expires: boolean;
  /** create-staged.lua: the group's members do not expire. */
  persists: boolean;
  /** create-staged.lua: an existing group is not created again. */
  looksFirst: boolean;
  /** Comparing: both steps see the same version. */
  sameVersion: boolean;
  /** The entry is appended in the step that creates the group. */
  entryAtOnce: boolean;
};
export const all: Rules = {
  countsStaged: true,
  ownName: true,
  expires: true,
  persists: true,
  looksFirst: true,
  sameVersion: true,
  entryAtOnce: true,
};

type Phase =
  | 'ask'
  | 'first'
  | 'second'
  | 'make'
  | 'tell'
  | 'compare'
  | 'compareOn'
  | 'created'
  | 'same'
  | 'different'
  | 'later'
  | 'dead';
type Creator = {
  wants: number;
  phase: Phase;
  stagings: number;
  comparisons: number;
  version: number;
  /** Whether the group had, and had not, exactly these members at some moment since the comparison began. */
  wasEqual: boolean;
  wasOther: boolean;
};
type Staged = { members: number; expiring: boolean } | null;
type Group = { members: number; founders: number; ever: number; expiring: boolean; version: number } | null;
export type State = {
  creators: Creator[];
  staged: Staged[];
  group: Group;
  /** How often a group was created since the last loss. */
  made: number;
  wanted: number;
  /** The entry in the stream, and how far the consumer has read it. */
  entry: 'none' | 'there' | 'half' | 'done';
  told: number;
  changes: number;
  losses: number;
};

const firstHalf = 3;
const mostStagings = 2;
const mostComparisons = 2;
const mostChanges = 2;
const ended: readonly Phase[] = ['created', 'same', 'different', 'later', 'dead'];

function with_(state: State, change: (copy: State) => void): State {
  const { creators, staged, group, ...rest } = state;
  const copy: State = {
    creators: creators.map((one) => ({ ...one })),
    staged: staged.map((one) => one && { ...one }),
    group: group && { ...group },
    ...rest,
  };
  change(copy);
  for (const creator of copy.creators) {
    // Reset fields that no longer matter, so that they do not make two states of one.
    if (ended.includes(creator.phase)) Object.assign(creator, { stagings: 0, comparisons: 0, version: 0 });
    if (creator.phase !== 'compare' && creator.phase !== 'compareOn') continue;
    const isEqual = copy.group !== null && copy.group.members === creator.wants;
    creator.wasEqual ||= isEqual;
    creator.wasOther ||= !isEqual;
  }
  return copy;
}

function steps(state: State, rules: Rules): [string, State][] {
  const found: [string, State][] = [];
  const step = (label: string, change: (copy: State) => void): void => void found.push([label, with_(state, change)]);

  state.creators.forEach((creator, i) => {
    if (ended.includes(creator.phase)) return;
    const at = rules.ownName ? i : 0;
    const name = `creator ${i}`;
    const stage = (half: number, next: Phase) =>
      step(`${name} puts members aside`, (s) => {
        s.staged[at] = { members: (s.staged[at]?.members ?? 0) | (creator.wants & half), expiring: rules.expires };
        s.creators[i]!.phase = next;
      });
    step(`${name} dies`, (s) => void (s.creators[i]!.phase = 'dead'));
    switch (creator.phase) {
      case 'ask':
      case 'make':
        step(`${name} asks for the group`, (s) => {
          const me = s.creators[i]!;
          const staged = s.staged[at] ?? null;
          const size = (bits: number): number => [1, 2, 4].filter((bit) => (bits & bit) !== 0).length;
          const isStaged = rules.countsStaged
            ? staged !== null && size(staged.members) === size(me.wants)
            : staged !== null && me.phase === 'make';
          if (rules.looksFirst && s.group !== null)
            Object.assign(me, { phase: 'compare', wasEqual: false, wasOther: false });
          else if (staged === null || !isStaged) {
            me.stagings += 1;
            me.phase = me.stagings > mostStagings ? 'later' : 'first';
          } else {
            s.group = {
              members: staged.members,
              founders: staged.members,
              ever: staged.members,
              expiring: staged.expiring && !rules.persists,
              version: 1,
            };
            s.staged[at] = null;
            s.made += 1;
            s.wanted = me.wants;
            if (rules.entryAtOnce) s.entry = 'there';
            me.phase = rules.entryAtOnce ? 'created' : 'tell';
          }
        });
        break;
      case 'tell':
        step(`${name} appends the entry`, (s) => {
          if (s.group !== null) s.entry = 'there';
          s.creators[i]!.phase = 'created';
        });
        break;
      case 'first':
        stage(firstHalf, 'second');
        break;
      case 'second':
        stage(~firstHalf, 'make');
        break;
      case 'compare':
      case 'compareOn':
        step(`${name} compares`, (s) => {
          const me = s.creators[i]!;
          const half = me.phase === 'compare' ? firstHalf : ~firstHalf;
          const size = (bits: number): number => [1, 2, 4].filter((bit) => (bits & bit) !== 0).length;
          if (s.group === null) me.phase = 'later';
          else if (
            size(s.group.members) !== size(me.wants) ||
            (s.group.members & half & me.wants) !== (me.wants & half)
          )
            me.phase = 'different';
          else if (me.phase === 'compare') Object.assign(me, { phase: 'compareOn', version: s.group.version });
          else if (!rules.sameVersion || me.version === s.group.version) me.phase = 'same';
          else {
            me.comparisons += 1;
            me.phase = me.comparisons === mostComparisons ? 'later' : 'compare';
          }
        });
        break;
      case 'created':
      case 'same':
      case 'different':
      case 'later':
      case 'dead':
        break;
    }
  });

  state.staged.forEach((staged, i) => {
    if (staged?.expiring) step(`what was put aside (${i}) expires`, (s) => void (s.staged[i] = null));
  });
  if (state.group?.expiring) step('the members expire', (s) => void Object.assign(s.group!, { members: 0, ever: 0 }));
  if (state.group !== null && state.changes < mostChanges) {
    for (const bit of [1, 2, 4]) {
      step(`member ${bit} comes or goes`, (s) => {
        s.group!.members ^= bit;
        s.group!.ever |= bit;
        s.group!.version += 1;
        s.changes += 1;
      });
    }
  }
  // A member's first span still tells whether it was a founder.
  const foundersNow = (s: State): number => (s.group === null ? 0 : s.group.founders & s.group.ever);
  if (state.entry === 'there')
    step('the consumer reads one half', (s) => {
      s.told |= foundersNow(s) & firstHalf;
      s.entry = 'half';
    });
  if (state.entry === 'half')
    step('the consumer reads the other half', (s) => {
      s.told |= foundersNow(s) & ~firstHalf;
      s.entry = 'done';
    });
  if (state.losses === 0)
    step('state is lost', (s) => {
      Object.assign(s, { staged: s.staged.map(() => null), group: null, made: 0, entry: 'none', told: 0, losses: 1 });
    });
  return found;
}

function violated({ group, made, wanted, creators, entry, told }: State): string | null {
  if (made > 1) return 'a group was made twice';
  if (group !== null && group.founders !== wanted) return 'a group has other members than its creator named';
  if (group !== null && group.ever !== (group.ever | group.founders)) return 'members are gone';
  if (creators.some(({ phase, wasEqual }) => phase === 'same' && !wasEqual)) return 'same, and it never was';
  if (creators.some(({ phase, wasOther }) => phase === 'different' && !wasOther)) return 'different, and it never was';
  if (entry === 'done' && group !== null && told !== group.founders) return 'a founder is not told';
  return null;
}

const isDone = ({ creators, group, entry, staged }: State): boolean =>
  creators.every(({ phase }) => ended.includes(phase)) &&
  staged.every((one) => one === null) &&
  (group === null || entry === 'done');

const creatorOf = (wants: number): Creator => ({
  wants,
  phase: 'ask',
  stagings: 0,
  comparisons: 0,
  version: 0,
  wasEqual: false,
  wasOther: false,
});

/** Both want the same group, or groups that differ by a member of either half. */
export const creating = (rules: Rules): Model<State> => ({
  initial: [5, 3].map((other) => ({
    creators: [creatorOf(5), creatorOf(other)],
    staged: [null, null],
    group: null,
    made: 0,
    wanted: 0,
    entry: 'none' as const,
    told: 0,
    changes: 0,
    losses: 0,
  })),
  key: ({ creators, staged, group, ...rest }) =>
    [
      creators.map((one) => Object.values(one).join()).join(';'),
      staged.map((one) => one && Object.values(one).join()).join(';'),
      group && Object.values(group).join(),
      Object.values(rest).join(),
    ].join('|'),
  next: (state) => steps(state, rules),
  violated,
  resting: isDone,
});
