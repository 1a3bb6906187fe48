import type { Model } from './explore.ts';

/**
 * One user with two devices, two gateways that may hold them, and one client that watches the user through a third
 * gateway. A step is one script, one message of the channel, or one event at a process. Time is not modelled: a lease
 * of a gateway that is silent may lapse at any moment, and a wait may end at any moment.
 *
 * At rest nothing is on its way. What the client was told last must then be so, or it was told a permanent lie.
 */
export type Rules = {
  /** A route counts only while its gateway's lease lasts. */
  lease: boolean;
  /** detach-device.lua removes the route of this session, and of no other. */
  ownRoute: boolean;
  /** detach-device.lua replies whether the user is offline, also when another had removed the route. */
  repliesOffline: boolean;
  /** settle-presence.lua looks at the routes again. */
  looksAgain: boolean;
  /** A script publishes in its own step. */
  publishesInStep: boolean;
  /** attach-device.lua also tells of a further gateway that holds the user. */
  tellsOfGateways: boolean;
  /** … and names every gateway that holds the user. */
  tellsAll: boolean;
  /** renew-gateway.lua tells that a lapsed lease is there again. */
  tellsOfReturn: boolean;
  /** The channel is followed before the routes are read. */
  followsFirst: boolean;
  /** An answer is dropped if the channel told something meanwhile. */
  dropsOldAnswers: boolean;
  /** After the channel was subscribed again, the routes are read. */
  asksAfterSubscribing: boolean;
  /** When a gateway of the user is gone, the routes are read. */
  suspects: boolean;
  /** Who asked meanwhile and heard "offline" is told of the return, though the others were not told of the absence. */
  tellsDoubters: boolean;
};
export const all: Rules = {
  lease: true,
  ownRoute: true,
  repliesOffline: true,
  looksAgain: true,
  publishesInStep: true,
  tellsOfGateways: true,
  tellsAll: true,
  tellsOfReturn: true,
  followsFirst: true,
  dropsOldAnswers: true,
  asksAfterSubscribing: true,
  suspects: true,
  tellsDoubters: true,
};

/** `gateways`: the bits of those that hold the user. */
type News = { kind: 'on' | 'off' | 'back'; gateways: number };
type Session = { device: number; gateway: number; is: 'open' | 'detaching' | 'ended' };
type Gateway = {
  process: 'up' | 'paused' | 'dead';
  leased: boolean;
  /** It waits with "offline". */
  waits: boolean;
  /** Published after the script, if not in its step. */
  outbox: News[];
};
type Asking = { why: 'query' | 'check'; gateways: number; isOld: boolean };
type Watcher = {
  follows: boolean;
  followedBefore: boolean;
  wants: 'nothing' | 'query' | 'check';
  asks: Asking | null;
  /** What the gateway holds: whether the user is online, and a bit for each gateway that holds it. */
  online: boolean;
  gateways: number;
  /** The client heard "offline" as an answer while the gateway held "online". */
  doubted: boolean;
  told: boolean | null;
};
export type State = {
  sessions: Session[];
  /** The session of each device's route; -1: none. */
  routes: number[];
  gateways: Gateway[];
  channel: News[];
  watcher: Watcher;
  /** How often each of these has happened. */
  faults: number;
  queries: number;
};

/** How often devices say hello, how often something fails, and how often the client asks again. */
export type Bounds = { sessions: number; faults: number; queries: number };

function changed(state: State, change: (copy: State) => void): State {
  const copy: State = {
    ...state,
    sessions: state.sessions.map((one) => ({ ...one })),
    routes: [...state.routes],
    gateways: state.gateways.map((one) => ({ ...one, outbox: [...one.outbox] })),
    channel: [...state.channel],
    watcher: { ...state.watcher, asks: state.watcher.asks && { ...state.watcher.asks } },
  };
  change(copy);
  // What no longer matters does not make two states of one.
  copy.sessions.forEach((one, i) => {
    if (one.is === 'ended' && !copy.routes.includes(i)) one.gateway = 0;
  });
  return copy;
}

/** The gateways that hold the user, as bits. */
function holders({ routes, sessions, gateways }: State, rules: Rules): number {
  let bits = 0;
  for (const route of routes) {
    if (route < 0) continue;
    const { gateway } = sessions[route]!;
    if (gateways[gateway]!.leased || !rules.lease) bits |= 1 << gateway;
  }
  return bits;
}

function publish(s: State, by: number, news: News, rules: Rules): void {
  if (!rules.publishesInStep) s.gateways[by]!.outbox.push(news);
  else if (s.watcher.follows) s.channel.push(news);
}

function tell(watcher: Watcher, online: boolean): void {
  if (watcher.online !== online || (online && watcher.doubted)) watcher.told = online;
  watcher.online = online;
  watcher.doubted = false;
}

/** What clients, crashes and pauses do. */
function events(
  state: State,
  rules: Rules,
  bounds: Bounds,
  step: (label: string, change: (s: State) => void) => void,
): void {
  const { sessions, gateways, watcher } = state;
  gateways.forEach((gateway, g) => {
    if (gateway.process === 'up' && sessions.length < bounds.sessions)
      for (const device of [0, 1])
        step(`device ${device} says hello to gateway ${g}`, (s) => {
          const held = s.routes.some((route) => route >= 0 && s.sessions[route]!.gateway === g);
          const isFirst = holders(s, rules) === 0;
          // A hello renews the lease silently; the next renewal tells of others that it brought back.
          s.gateways[g]!.leased = true;
          s.gateways[g]!.waits = false;
          s.routes[device] = s.sessions.push({ device, gateway: g, is: 'open' }) - 1;
          const now = rules.tellsAll ? holders(s, rules) : 1 << g;
          if (isFirst || (rules.tellsOfGateways && !held)) publish(s, g, { kind: 'on', gateways: now }, rules);
        });
    if (state.faults < bounds.faults && gateway.process === 'up') {
      step(`gateway ${g} crashes`, (s) => {
        s.faults += 1;
        Object.assign(s.gateways[g]!, { process: 'dead', waits: false, outbox: [] });
        for (const session of s.sessions) if (session.gateway === g) session.is = 'ended';
      });
      step(`gateway ${g} is paused`, (s) => {
        s.faults += 1;
        s.gateways[g]!.process = 'paused';
      });
    }
    if (gateway.process === 'paused')
      step(`gateway ${g} goes on, and renews its lease`, (s) => {
        const lapsed = !s.gateways[g]!.leased;
        Object.assign(s.gateways[g]!, { process: 'up', leased: true });
        if (lapsed && rules.tellsOfReturn) publish(s, g, { kind: 'back', gateways: 0 }, rules);
      });
  });
  sessions.forEach((session, i) => {
    if (session.is === 'open' && gateways[session.gateway]!.process === 'up')
      step(`session ${i} closes`, (s) => void (s.sessions[i]!.is = 'detaching'));
  });
  if (state.faults < bounds.faults) {
    state.routes.forEach((route, device) => {
      if (route >= 0 && sessions[route]!.is === 'open')
        step(`device ${device} is removed`, (s) => {
          s.faults += 1;
          s.routes[device] = -1;
          s.sessions[route]!.is = 'detaching';
        });
    });
    if (watcher.follows)
      step('the subscription breaks', (s) => {
        s.faults += 1;
        s.watcher.follows = false;
        s.channel = [];
      });
  }
  if (state.queries < bounds.queries && watcher.wants === 'nothing' && watcher.asks === null && watcher.follows)
    step('the client asks', (s) => {
      s.queries += 1;
      s.watcher.wants = 'query';
    });
}

/** What comes by itself. */
function consequences(state: State, rules: Rules, step: (label: string, change: (s: State) => void) => void): void {
  const { sessions, gateways, watcher } = state;
  sessions.forEach((session, i) => {
    const { gateway: g, device } = session;
    if (gateways[g]!.process !== 'up') return;
    if (session.is === 'detaching')
      step(`session ${i} is detached`, (s) => {
        const isThere = rules.ownRoute ? s.routes[device] === i : s.routes[device]! >= 0;
        if (isThere) s.routes[device] = -1;
        s.sessions[i]!.is = 'ended';
        if ((isThere || rules.repliesOffline) && holders(s, rules) === 0) s.gateways[g]!.waits = true;
      });
    if (session.is === 'open' && state.routes[device] !== i)
      step(`session ${i} is closed, since its route is gone`, (s) => void (s.sessions[i]!.is = 'detaching'));
  });
  gateways.forEach((gateway, g) => {
    if (gateway.waits && gateway.process === 'up')
      step(`gateway ${g} settles`, (s) => {
        s.gateways[g]!.waits = false;
        if (!rules.looksAgain || holders(s, rules) === 0) publish(s, g, { kind: 'off', gateways: 0 }, rules);
      });
    if (gateway.outbox.length > 0 && gateway.process === 'up')
      step(`gateway ${g} publishes`, (s) => {
        const news = s.gateways[g]!.outbox.shift()!;
        if (s.watcher.follows) s.channel.push(news);
      });
    if (gateway.leased && gateway.process !== 'up')
      step(`the lease of gateway ${g} lapses`, (s) => void (s.gateways[g]!.leased = false));
  });

  if (!watcher.follows)
    step('the channel is subscribed', (s) => {
      s.watcher.follows = true;
      const isAgain = s.watcher.followedBefore;
      s.watcher.followedBefore = true;
      if (!isAgain || !rules.asksAfterSubscribing) return;
      if (s.watcher.told !== null && s.watcher.wants === 'nothing') s.watcher.wants = 'check';
      if (s.watcher.asks !== null) s.watcher.asks.isOld = true;
    });
  const gone = gateways.some(({ leased }, g) => (watcher.gateways & (1 << g)) !== 0 && !leased);
  if (gone && rules.suspects && watcher.wants === 'nothing' && watcher.asks === null)
    step('a gateway of the user is gone', (s) => void (s.watcher.wants = 'check'));
  if (watcher.wants !== 'nothing' && watcher.asks === null && (watcher.follows || !rules.followsFirst))
    step('the routes are read', (s) => {
      s.watcher.asks = { why: watcher.wants as 'query' | 'check', gateways: holders(s, rules), isOld: false };
      s.watcher.wants = 'nothing';
    });
  if (watcher.asks !== null)
    step('the answer comes', (s) => {
      const { why, gateways: found, isOld } = s.watcher.asks!;
      s.watcher.asks = null;
      if (isOld && rules.dropsOldAnswers) s.watcher.wants = why;
      else answered(s.watcher, why, found, rules);
    });
  if (state.channel.length > 0)
    step('news come', (s) => {
      const { kind, gateways: now } = s.channel.shift()!;
      const to = s.watcher;
      if (to.asks !== null) to.asks.isOld = true;
      if (to.told === null) return;
      if (kind === 'back') to.wants = to.wants === 'nothing' ? 'check' : to.wants;
      else {
        to.gateways = now;
        tell(to, kind === 'on');
      }
    });
}

function answered(watcher: Watcher, why: 'query' | 'check', gateways: number, rules: Rules): void {
  const online = gateways !== 0;
  const isNew = watcher.told === null;
  if (why === 'query' && !isNew && watcher.online && !online) {
    // The answer is exact; what others were told stays until the wait is over.
    watcher.told = false;
    watcher.doubted = rules.tellsDoubters;
    return;
  }
  tell(watcher, online);
  watcher.gateways = gateways;
  if (why === 'query') watcher.told = online;
}

/** Nothing comes by itself any more. */
function isResting(state: State, rules: Rules): boolean {
  let steps = 0;
  consequences(state, rules, () => void steps++);
  return steps === 0 && state.gateways.every(({ process }) => process !== 'paused');
}

const kinds = { on: 0, off: 1, back: 2 };
const stages = { open: 0, detaching: 1, ended: 2 };
const processes = { up: 0, paused: 1, dead: 2 };
const wanted = { nothing: 0, query: 1, check: 2 };

/** True is 1, false 0, and null 2. */
const bitsOf = (value: boolean | null): number => (value === null ? 2 : Number(value));

/**
 * One text for states that differ only by the names of gateways and devices. Each character is a few small numbers, bit
 * by bit: the model has a million states, and most of the time of an exploration goes into their names.
 */
function nameOf(state: State): string {
  const { sessions, routes, gateways, channel, watcher, faults, queries } = state;
  const nameBy = (g: number, d: number): string => {
    const swapped = (bits: number): number => (g === 0 ? bits : ((bits & 1) << 1) | (bits >> 1));
    const codes = [sessions.length, (routes[d]! + 1) * 16 + routes[1 ^ d]! + 1];
    const addNews = (list: News[]): void => {
      codes.push(list.length);
      for (const one of list) codes.push((kinds[one.kind] << 2) | swapped(one.gateways));
    };
    for (const { device, gateway, is } of sessions) codes.push(((device ^ d) << 3) | ((gateway ^ g) << 2) | stages[is]);
    for (const i of [g, 1 ^ g]) {
      const { process, leased, waits, outbox } = gateways[i]!;
      codes.push((processes[process] << 2) | (bitsOf(leased) << 1) | bitsOf(waits));
      addNews(outbox);
    }
    addNews(channel);
    const { follows, followedBefore, wants, asks, online, doubted, told } = watcher;
    codes.push((bitsOf(follows) << 5) | (bitsOf(followedBefore) << 4) | (wanted[wants] << 2) | bitsOf(told));
    codes.push((bitsOf(online) << 3) | (swapped(watcher.gateways) << 1) | bitsOf(doubted));
    codes.push(faults, queries);
    if (asks !== null) codes.push((wanted[asks.why] << 3) | (swapped(asks.gateways) << 1) | bitsOf(asks.isOld));
    return String.fromCharCode(...codes);
  };
  const names = [nameBy(0, 0), nameBy(0, 1), nameBy(1, 0), nameBy(1, 1)];
  return names.reduce((least, name) => (name < least ? name : least));
}

export const presence = (rules: Rules, bounds: Bounds): Model<State> => ({
  initial: [
    {
      sessions: [],
      routes: [-1, -1],
      gateways: [0, 1].map(() => ({ process: 'up' as const, leased: false, waits: false, outbox: [] })),
      channel: [],
      watcher: {
        follows: false,
        followedBefore: false,
        wants: 'query',
        asks: null,
        online: false,
        gateways: 0,
        doubted: false,
        told: null,
      },
      faults: 0,
      queries: 0,
    },
  ],
  key: nameOf,
  next(state) {
    const found: [string, State][] = [];
    const step = (label: string, change: (s: State) => void): void => void found.push([label, changed(state, change)]);
    events(state, rules, bounds, step);
    consequences(state, rules, step);
    return found;
  },
  violated(state) {
    const { sessions, routes } = state;
    const isWithoutRoute = ({ device, is }: Session, i: number): boolean =>
      is === 'open' && routes[device] !== i && sessions.findLastIndex((one) => one.device === device) === i;
    if (sessions.some(isWithoutRoute)) return 'a connected device lost its route';
    if (!isResting(state, rules)) return null;
    const online = holders(state, all) !== 0;
    if (online === state.watcher.told) return null;
    return online ? 'told "offline" for good of who is online' : 'told "online" for good of who is offline';
  },
  resting: (state) => isResting(state, rules),
});
