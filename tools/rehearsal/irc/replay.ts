import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Refusal } from '../../../sdk/src/refusal.ts';
import type { MembershipBody } from '../../../shared/model/model.ts';
import { createDeviceRecorder, type DeviceRecorder } from '../device-recorder.ts';
import { openHttp, type Http } from '../http.ts';
import type { Sent } from './check.ts';
import { createNickMap } from './nicks.ts';
import type { Step } from './plan.ts';
import type { Random } from './random.ts';

/**
 * Replays a plan on a cluster: one group conversation, and a user with at least one device for every nick. Devices
 * connect and disconnect all the time. The steps of one user run in order, those of different users concurrently.
 */
export type Stage = {
  /** Picks a gateway, as `ws://host:port`. */
  url(): string;
  http(): string;
  token(user: string): Promise<string>;
  random: Random;
  /** Messages a second; 0: as fast as possible. */
  speed: number;
  signal: AbortSignal;
  /** Holds every created device, even if the replay fails: the caller closes them. */
  recorders: DeviceRecorder[];
  /** Called before each step. */
  step(done: number, said: number): void;
};

export type Replay = {
  conversation: string;
  /** Member from the beginning to the end: adds everybody and sees everything. */
  witness: string;
  sent: Sent[];
  changes: Map<string, MembershipBody['action'][]>;
  asUser(user: string): Promise<Http>;
  intern(text: string): string;
};

/** Maximum steps in flight: bounds the backlog when the cluster stands still. */
const mostUnderWay = 200;
const reconnect = { minMs: 50, maxMs: 1000 };

type Person = { user: string; recorders: DeviceRecorder[]; tail: Promise<void>; saying: Set<Promise<void>> };

export async function replay(steps: Step[], stage: Stage): Promise<Replay> {
  const { random, recorders } = stage;
  const run = randomBytes(3).toString('hex');
  const conversation = `irc-${run}`;
  const userOf = createNickMap(`${run}-`);
  const witness = `witness-${run}`;
  const texts = new Map<string, string>();
  const intern = (text: string): string => {
    const known = texts.get(text);
    if (known === undefined) texts.set(text, text);
    return known ?? text;
  };
  const clients = new Map<string, Promise<Http>>();
  const asUser = (user: string): Promise<Http> => {
    let client = clients.get(user);
    if (client === undefined)
      clients.set(user, (client = stage.token(user).then((token) => openHttp(stage.http, token))));
    return client;
  };
  const sent: Sent[] = [];
  const changes = new Map<string, MembershipBody['action'][]>();
  const people = new Map<string, Person>();
  let failure: Error | null = null;

  const host = await asUser(witness);
  await host.createConversation({ id: conversation, members: [witness], name: 'rehearsal' });

  const addRecorder = (user: string, deviceId: string, mode: 'push' | 'pull'): DeviceRecorder => {
    const made = createDeviceRecorder({
      url: stage.url,
      token: () => stage.token(user),
      user,
      deviceId,
      mode,
      conversation,
      reconnect,
      intern,
      sleeper: random.chance(0.12),
      random: Math.random,
    });
    recorders.push(made);
    return made;
  };
  addRecorder(witness, 'desk', 'push');

  const personOf = (nick: string): Person => {
    const user = userOf(nick);
    let person = people.get(user);
    if (person === undefined) {
      person = {
        user,
        recorders: [addRecorder(user, 'first', random.chance(0.15) ? 'pull' : 'push')],
        tail: Promise.resolve(),
        saying: new Set(),
      };
      if (random.chance(0.2)) person.recorders.push(addRecorder(user, 'second', random.chance(0.3) ? 'pull' : 'push'));
      people.set(user, person);
    }
    return person;
  };

  const noteChange = (user: string, action: MembershipBody['action']): void => {
    const list = changes.get(user);
    if (list === undefined) changes.set(user, [action]);
    else list.push(action);
  };

  const leave = async (person: Person, how: 'left' | 'removed'): Promise<void> => {
    // Earlier messages must be accepted first: after the leave they would be refused.
    await Promise.all(person.saying);
    try {
      await (how === 'left' ? await asUser(person.user) : host).removeMember(conversation, person.user);
    } catch (error) {
      // The first attempt took effect and its answer was lost. A user who has left may not repeat the request.
      if (!(error instanceof Refusal) || error.code !== 'not_found' || how === 'removed') throw error;
    }
    noteChange(person.user, how);
  };

  const say = async (person: Person, from: DeviceRecorder, step: Step & { type: 'say' }): Promise<void> => {
    const body = { text: step.text, line: step.line };
    const { clientId, message } = await from.say(step.kind, body);
    sent.push({
      sender: person.user,
      clientId,
      kind: step.kind,
      bodyText: JSON.stringify(body),
      id: message.id,
      seq: message.seq,
    });
  };

  const perform = async (person: Person, step: Step, from: DeviceRecorder): Promise<void> => {
    if (step.type === 'join') {
      await host.addMember(conversation, person.user);
      noteChange(person.user, 'joined');
    } else if (step.type === 'leave') await leave(person, step.how);
    else {
      from.device.online();
      const saying = say(person, from, step).finally(() => person.saying.delete(saying));
      person.saying.add(saying);
      underWay.add(saying);
      saying.catch(fail).finally(() => underWay.delete(saying));
    }
  };

  const underWay = new Set<Promise<unknown>>();
  const fail = (error: unknown): void => {
    failure ??= error as Error;
  };

  /**
   * A random device disconnects or connects. A device with unsent messages loses its connection and returns at once.
   * All random numbers are drawn before looking at the device: a seed must give the same sequence at any cluster speed.
   */
  const churn = (): void => {
    const { device, mode, sleeper } = random.pick(recorders);
    const [wakes, cut, syncs] = [random.chance(0.04), random.chance(0.5), random.chance(0.7)];
    if (device.state === 'idle') {
      if (!sleeper || wakes) device.online();
    } else if (device.unsent > 0) {
      device.offline({ cut: true });
      device.online();
    } else if (mode === 'pull' && syncs) void device.sync().catch(() => {});
    else device.offline({ cut });
  };

  const begin = performance.now();
  let said = 0;
  for (const [index, step] of steps.entries()) {
    stage.signal.throwIfAborted();
    if (failure !== null) throw failure;
    stage.step(index, said);
    if (step.type === 'say' && stage.speed > 0) {
      const wait = begin + (said / stage.speed) * 1000 - performance.now();
      if (wait > 1) await pause(wait, undefined, { signal: stage.signal });
    }
    if (step.type === 'say') said++;
    while (underWay.size >= mostUnderWay) await Promise.race(underWay);
    const person = personOf(step.nick);
    const from = random.pick(person.recorders);
    const done = person.tail.then(() => perform(person, step, from));
    person.tail = done.catch(fail);
    underWay.add(done);
    done.catch(() => {}).finally(() => underWay.delete(done));
    for (let turns = random.between(0, 2); turns > 0; turns--) churn();
    // Sockets need a turn of the event loop when there is no pause.
    if (stage.speed === 0) await new Promise(setImmediate);
  }
  while (underWay.size > 0 && failure === null) {
    stage.signal.throwIfAborted();
    await Promise.race([...underWay, pause(1000)]).catch(() => {});
  }
  if (failure !== null) throw failure;
  stage.step(steps.length, said);
  return { conversation, witness, sent, changes, asUser, intern };
}
