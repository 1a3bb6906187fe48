import { describe, expect, expectTypeOf, test } from 'vitest';
import type { z } from 'zod';
import { closeCodes } from '../../../sdk/src/close-codes.ts';
import { type ErrorCode, Refusal, retryableByCode } from '../../../sdk/src/refusal.ts';
import type * as Wire from '../../../sdk/src/wire.ts';
import * as server from '../../../shared/model/errors.ts';
import type * as Model from '../../../shared/model/model.ts';
import type { ClientFrameType, clientFrames } from '../../../shared/protocol/client-frames.ts';
import { closeCodes as serverCloseCodes } from '../../../shared/protocol/close-codes.ts';
import type { ServerFrame, serverFrames } from '../../../shared/protocol/server-frames.ts';

/** A frame without its type and the id of its request. */
type Fields<Type extends keyof typeof serverFrames> = Omit<ServerFrame<Type>, 'type' | 're'>;

/** A frame before the server has checked it. */
type Read<Type extends ClientFrameType> = z.input<(typeof clientFrames)[Type]>;

describe('the types of the client equal those of the server', () => {
  test('for what a message is', () => {
    expectTypeOf<Wire.Message>().toEqualTypeOf<Model.Message>();
    expectTypeOf<Wire.MessageClass>().toEqualTypeOf<Model.MessageClass>();
    expectTypeOf<Wire.ConversationKind>().toEqualTypeOf<Model.ConversationKind>();
  });

  test('for every frame that the client reads', () => {
    expectTypeOf<Wire.Welcome>().toEqualTypeOf<Fields<'welcome'>>();
    expectTypeOf<Wire.Pong>().toEqualTypeOf<Fields<'pong'>>();
    expectTypeOf<Wire.Accepted>().toEqualTypeOf<Fields<'accepted'>>();
    expectTypeOf<Wire.Gap>().branded.toEqualTypeOf<Fields<'gap'>>();
    expectTypeOf<Wire.InboxPage>().branded.toEqualTypeOf<Fields<'page'>>();
    expectTypeOf<Wire.HistoryPage>().toEqualTypeOf<Fields<'history'>>();
    expectTypeOf<Wire.Item>().toEqualTypeOf<ServerFrame<'deliver'>['items'][number]>();
    expectTypeOf<Wire.ErrorFrame>().toEqualTypeOf<ServerFrame<'error'>>();
  });
});

test('the frames that the client writes are frames that the server reads, without another field', () => {
  expectTypeOf<Wire.HelloFrame>().toExtend<Read<'hello'>>();
  expectTypeOf<Wire.ReceivedFrame>().toExtend<Read<'received'>>();
  expectTypeOf<Wire.SendFrame>().toExtend<Read<'send'>>();
  expectTypeOf<keyof Wire.HelloFrame>().toExtend<keyof Read<'hello'>>();
  expectTypeOf<keyof Wire.ReceivedFrame>().toExtend<keyof Read<'received'>>();
  expectTypeOf<keyof Wire.SendFrame>().toExtend<keyof Read<'send'>>();
});

describe('the client judges refusals and closes as the server means them', () => {
  test('has every error code of the server, and no other', () => {
    expectTypeOf<ErrorCode>().toEqualTypeOf<server.ErrorCode>();
    expect(Object.keys(retryableByCode)).toEqual(server.errorCodes);
  });

  test.each(server.errorCodes)('repeats after %s exactly when the server says that it is retryable', (code) => {
    expect(new Refusal(code, '').retryable).toBe(new server.Refusal(code, '').retryable);
  });

  test('knows the close codes by the numbers of the server', () => {
    expect(serverCloseCodes).toMatchObject(closeCodes);
  });
});
