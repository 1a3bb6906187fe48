import type { Redis } from 'ioredis';
import type { AmendAction } from '../../model/amendment.ts';
import { notFound, Refusal, retryLater } from '../../model/errors.ts';
import { mostAmendments } from '../../model/limits.ts';
import { messageId } from '../../model/message-text.ts';
import type { Accepted, Amended } from '../../model/results.ts';
import { createAsking, type Help } from '../conversations/asking.ts';
import { writeFailure } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import { amendFingerprint } from './fingerprints.ts';
import type { PoolWitness } from './pool-witness.ts';

/** A checked amend, ready to be accepted. */
export type Amend = {
  conversation: string;
  /** In whose name. */
  by: string;
  service: boolean;
  /** The message that is amended. */
  seq: number;
  action: AmendAction;
  /** The new body as JSON; null: of a recall. */
  body: string | null;
  /** Of the body (`bodyHash`); `*` of a recall. */
  hash: string;
  clientId: string;
  /** Whether the clientId is the client's, and so has to be known when it comes again. */
  isNamed: boolean;
  /** `noDevice` by HTTP. */
  device: string;
  ifVersion: number | undefined;
  /** How long after the message its sender may do this (ms); 0: no limit. */
  withinMs: number;
  /** The gateway waits until history has it. */
  awaited: boolean;
};

/**
 * What helps if Redis cannot decide by itself. `lookUp` resolves the state of a message as amend-message.lua takes it,
 * from Redis first and then from history; null: there is no such message.
 */
export type AmendHelp = Help & { lookUp(conversation: string, seq: number): Promise<string | null> };

/** Each look-up is good for a minute. Only tests need a second one. */
const mostLookUps = 5;

const conflict = (what: string): Refusal => new Refusal('conflict', what);
const forbidden = (what: string): Refusal => new Refusal('forbidden', what);

const refusals: Record<string, (action: AmendAction) => Refusal> = {
  no_message: () => notFound('no such message'),
  server_kind: () => forbidden('messages of the server are never amended'),
  not_yours: (action) => forbidden(`you may not ${action} this message`),
  late: (action) => forbidden(`the time to ${action} this message is over`),
  other_version: () => conflict('ifVersion: another version is in force'),
  recalled: () => conflict('the message was recalled'),
  known: () => conflict('this clientId was used for something else'),
  too_many: () => new Refusal('too_large', `a message is edited at most ${mostAmendments} times`),
};

/**
 * Has amends accepted, one call each. `amend` rejects with a Refusal: `retry_later` (certainly not accepted),
 * `unknown_outcome`, `not_found`, `forbidden`, `conflict`, `too_large`.
 */
export function createAmends(
  redis: Redis,
  keys: Keys,
  options: {
    dedupeMs: number;
    mostUnsettled: number;
    /** Maximum members of a group whose messages have inbox entries. */
    mostInInboxes: number;
    /** How long history keeps messages (ms), of conversations without days of their own. */
    retentionMs: number;
    /** The id of this gateway, for amends that are `awaited`. */
    gateway: string;
  },
  help: AmendHelp,
  witness: PoolWitness,
) {
  const asked = createAsking(help);

  function ask(amend: Amend, state: string, stateAt: string): Promise<string[]> {
    const { conversation, by, service, seq, action, body, hash, clientId, isNamed, device, ifVersion } = amend;
    const partition = keys.partitionOf(conversation);
    const used = [
      keys.partitionSlot(partition),
      keys.messages(partition),
      keys.conversation(partition, conversation),
      keys.members(partition, conversation),
      keys.notes(partition, conversation),
    ];
    return run<string[]>(redis, 'amend-message', used, [
      keys.partitionBase(partition),
      options.dedupeMs,
      ...witness.of(partition),
      options.mostUnsettled,
      options.mostInInboxes,
      conversation,
      by,
      service ? '1' : '0',
      seq,
      action === 'recall' ? 'r' : 'e',
      body ?? 'null',
      hash,
      clientId,
      isNamed ? amendFingerprint(seq, action, hash) : '',
      device,
      ifVersion ?? '',
      amend.withinMs,
      Number.isFinite(options.retentionMs) ? options.retentionMs : '',
      amend.awaited ? options.gateway : '',
      mostAmendments,
      state,
      stateAt,
    ]).catch((thrown: unknown) => {
      throw writeFailure(thrown);
    });
  }

  function answered(amend: Amend, [word, amendSeq, version, by, at, streamId, mark]: string[]): Amended {
    const { conversation, seq, action } = amend;
    const partition = keys.partitionOf(conversation);
    witness.note(partition, mark);
    if (word === 'amended') help.seen(partition, streamId!);
    const accepted: Accepted = {
      id: messageId(partition, streamId!),
      conversation,
      seq: Number(amendSeq) || seq,
      at: Number(at),
      duplicate: word === 'duplicate',
    };
    const numbers = { at: Number(at), version: Number(version), amendSeq: Number(amendSeq) };
    return { conversation, seq, action, by: by!, ...numbers, accepted };
  }

  return {
    async amend(amend: Amend): Promise<Amended> {
      let [state, stateAt] = ['', '0'];
      for (let lookUps = 0; lookUps <= mostLookUps; lookUps++) {
        let calls = 0;
        const [word, ...words] = await asked(amend.conversation, () => {
          // What was looked up before the conversation had to be loaded may be of a state that was lost.
          if (calls++ > 0) state = '';
          return ask(amend, state, stateAt);
        });
        if (word === 'amended' || word === 'duplicate') return answered(amend, [word, ...words]);
        if (word !== 'lookup') throw refusals[word!]!(amend.action);
        const found = await help.lookUp(amend.conversation, amend.seq);
        if (found === null) throw notFound('no such message');
        [state, stateAt] = [found, words[0]!];
      }
      throw retryLater('the message cannot be looked up now');
    },
  };
}

export type Amends = ReturnType<typeof createAmends>;
