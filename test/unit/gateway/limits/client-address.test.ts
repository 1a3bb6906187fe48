import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { createAddressOf, networkOf } from '../../../../gateway/limits/client-address.ts';

const asked = (trustProxy: boolean, forwarded?: string) =>
  createAddressOf(trustProxy)({
    headers: { 'x-forwarded-for': forwarded },
    socket: { remoteAddress: '10.0.0.9' } as Socket,
  });

test('takes the address that a trusted proxy saw, not what the client claims', () => {
  expect(asked(true, '203.0.113.7')).toBe('203.0.113.7');
  expect(asked(true, '198.51.100.1, 203.0.113.7')).toBe('203.0.113.7');
  expect(asked(true, '2001:db8::1')).toBe('2001:db8::1');
});

test('takes the address of the connection without a proxy or its header', () => {
  expect(asked(false, '203.0.113.7')).toBe('10.0.0.9');
  for (const forwarded of [undefined, '', 'unknown', '203.0.113.7, ', '203.0.113.7:80'])
    expect(asked(true, forwarded)).toBe('10.0.0.9');
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('counts %s as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
