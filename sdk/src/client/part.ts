import type { Attached, OneConversation } from '../view/own-conversation.ts';
import type { BaseClient, BaseConversation } from './api.ts';
import type { Inside } from './inside.ts';

/**
 * Something that a client can do beside its core. It is made before the pieces of the client: it may put its own in the
 * place of some of them, and adds methods to the client and to its conversations.
 */
export type Part<OnClient = object, OnConversation = object> = (inside: Inside) => {
  client?: OnClient;
  conversation?(one: OneConversation): Attached<OnConversation>;
};

type Both<Of> = (Of extends unknown ? (of: Of) => void : never) extends (of: infer All) => void ? All : never;
type ClientOf<One> = One extends Part<infer Methods> ? Methods : never;
type ConversationOf<One> = One extends Part<object, infer Methods> ? Methods : never;

/** Methods that give a conversation give one with what the parts add. */
type Giving<Methods, Chat> = {
  [Name in keyof Methods]: Methods[Name] extends (...args: infer Args) => BaseConversation
    ? (...args: Args) => Chat
    : Methods[Name] extends (...args: infer Args) => Promise<BaseConversation>
      ? (...args: Args) => Promise<Chat>
      : Methods[Name];
};

export type ConversationWith<Parts extends readonly Part[]> = BaseConversation & Both<ConversationOf<Parts[number]>>;

export type ClientWith<Parts extends readonly Part[]> = BaseClient<ConversationWith<Parts>> &
  Giving<Both<ClientOf<Parts[number]>>, ConversationWith<Parts>>;
