import type { BaseConversation } from '../client/api.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Message, Target } from '../wire.ts';

/** A conversation as its parts see it. */
export type OneConversation = {
  readonly id: string;
  /** As it is stored. */
  readonly row: ConversationRow;
  readonly isOpen: boolean;
  /** Its address among the HTTP routes. */
  readonly path: string;
  target(): Target;
  /** Resolves when its row was read. Whatever failed was reported. */
  known(): Promise<void>;
};

/** What a part does in one conversation. */
export type Attached<Methods = object> = {
  methods: Methods;
  /** It was stored with these messages. */
  changed?(messages: Message[]): void;
  outboxChanged?(): void;
  opened?(): void;
  /** Reads what has changed meanwhile, for somebody who looks at it. `newest` reads its newest messages. */
  update?(newest: () => Promise<void>): Promise<void>;
};

/** A conversation as its client sees it. */
export type OwnConversation = BaseConversation & {
  readonly isOpen: boolean;
  /** Somebody looks at it, and has just written in it. */
  readonly isFocused: boolean;
  changed(row: ConversationRow, messages: Message[]): void;
  outboxChanged(): void;
  /** A connection is there: what somebody looks at is brought up to date. */
  refresh(): void;
};
