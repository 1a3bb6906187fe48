import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { DeviceSocket } from '../../../../gateway/socket/device-socket.ts';

// As ws makes the socket of a connection that a client has opened.
const opened = (): DeviceSocket => new DeviceSocket(null as never, undefined, {});

test('has no table of its own for what stays empty', () => {
  const [one, other, plain] = [opened(), opened(), new WebSocket(null as never, undefined, {})];
  for (const table of ['_events', '_extensions']) {
    expect(Reflect.get(one, table)).toBe(Reflect.get(other, table));
    // If this name is gone from a later version, the memory that it saves is to be measured again.
    expect(Reflect.get(plain, table)).toEqual({});
  }
});

test('takes no listener', () => {
  expect(() => opened().on('message', () => undefined)).toThrow(TypeError);
});

test('passes over events that its holder does not hear of', () => {
  expect(opened().emit('open')).toBe(false);
});
