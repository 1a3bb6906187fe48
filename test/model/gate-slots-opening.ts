import type { Facts, Report, Verdict } from '../../shared/recovery/verdict.ts';
import { type ConversationName, type Node, nodeOf } from './gate-slots-node.ts';
import { jump, names, type Rules, slotNames, type State, type Step } from './gate-slots-state.ts';
import { written } from './log.ts';

export function isOpen({ run, openRun }: State, { gate }: Node): boolean {
  return openRun === run && gate !== null;
}

/** What an opener does next. */
export function openingSteps(state: State, rules: Rules, decide: (facts: Facts) => Verdict): Step[] {
  const node = nodeOf(state.log);
  if (isOpen(state, node)) return [];
  const { gate, opening } = state;
  switch (opening) {
    case 'none':
      return [[`opening ${gate + 1} begins`, { ...state, opening: 'begun', gate: gate + 1 }]];
    case 'begun': {
      const facts = factsOf(state, node, rules);
      let found = decide(facts);
      if (found.word === 'open') return [['nothing was lost', { ...state, opening: 'whole' }]];
      const isLate = found.word === 'wait';
      if (isLate) found = decide({ ...facts, timedOut: true });
      if (found.word !== 'loss') throw new Error('an opening must end when the time is over');
      if (!isLate && !state.harmed && node.epoch === state.epoch)
        return [[`loss: ${found.reason}`, { ...state, fault: 'a loss where nothing was lost' }]];
      const epoch = state.epoch + 1;
      const lost = found.slots === 'all' ? 'p0,p1' : found.slots.join();
      return [[`loss of ${lost}: ${found.reason}`, { ...state, opening: 'loss', lost, epoch }]];
    }
    case 'whole':
      return [['opened as it is', opened(state, `o${gate}`)]];
    case 'loss':
      return [[`opened in epoch ${state.epoch}`, openedAfterLoss(state, node, rules)]];
  }
}

function factsOf(state: State, node: Node, rules: Rules): Facts {
  const heard = state.gateways
    .map((one, i) => [`G${i + 1}`, one] as const)
    .filter(([, one]) => one.reported === state.gate);
  const reports = heard.map(([id, one]): [string, Report] => {
    const partitions = rules.perSlot
      ? names.map((name) => [slotNames[name], `${one.ids[name]}-0`] as const)
      : [[slotNames.a, `${one.ids.a}-0`] as const];
    // The seat is compared with what Redis has of the group, which may be its mark.
    const isMissed = rules.seats && one.seat > node.b.conversation.seq;
    return [id, { opening: one.reported, partitions: new Map(partitions), lost: isMissed ? ['p1'] : [], short: false }];
  });
  const archived = names.flatMap((name) => {
    const last = state.archived.findLast((one) => one.conversation === name);
    return last === undefined ? [] : [[slotNames[name], `${last.streamId}-0`] as const];
  });
  const facts: Facts = {
    opening: state.gate,
    timedOut: false,
    history: {
      epoch: String(state.epoch),
      archived: new Map(archived),
      slots: new Map(names.map((name) => [slotNames[name], { gate: state.gate, mark: 0 }])),
      enlisted: state.gateways.map((_, i) => ({ id: `G${i + 1}`, dead: false })),
    },
    redis: {
      epoch: node.epoch === null ? null : String(node.epoch),
      opened: true,
      slots: new Map(
        names.map((name) => {
          const epoch = node[name].line === null ? null : String(node.epoch);
          return [slotNames[name], { epoch, mark: 0, lastId: `${node[name].lastId}-0` }];
        }),
      ),
    },
    reports: new Map(reports),
  };
  if (rules.everybody) return facts;
  // A loss that is shown somewhere waits for nobody.
  const alone = { ...facts, history: { ...facts.history, enlisted: [] } };
  return verdictIsLoss(alone) ? alone : facts;
}

/** Whether something is missing, as far as anybody has been heard. */
function verdictIsLoss({ history, redis, reports }: Facts): boolean {
  return [...redis.slots].some(([slot, { lastId }]) => {
    const seen = [history.archived.get(slot), ...[...reports.values()].map(({ partitions }) => partitions.get(slot))];
    return seen.some((id) => id !== undefined && Number.parseInt(id, 10) > Number.parseInt(lastId!, 10));
  });
}

function opened(state: State, operation: string): State {
  return {
    ...state,
    openRun: state.run,
    log: written(state.log, operation),
    opening: 'none',
    lost: '',
    harmed: false,
    gateways: state.gateways.map((one) => ({ ...one, reported: 0 })),
  };
}

/** Slots that lost something go on in a line of their own, with stream ids above all that was given. */
function openedAfterLoss(state: State, node: Node, rules: Rules): State {
  const { epoch, gateways, archived } = state;
  const isLost = (name: ConversationName): boolean => state.lost.includes(slotNames[name]);
  const lastId = (name: ConversationName): number => {
    const known = [...gateways.map(({ ids }) => ids[name]), ...archived.map(({ streamId }) => streamId)];
    return isLost(name) ? Math.max(node[name].lastId, ...known) + jump * epoch : node[name].lastId;
  };
  const lines = names.map((name) => (isLost(name) ? epoch : node[name].line!));
  const operation = `O${[state.gate, epoch, ...lines, ...names.map(lastId)].join()}`;
  const after = opened(state, operation);
  if (!rules.forgets || !isLost('b')) return after;
  return { ...after, gateways: after.gateways.map((one) => ({ ...one, seat: 0 })) };
}
