import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/**
 * Whose a request is: the address of its connection, or with a trusted proxy the last one of X-Forwarded-For, which is
 * what the proxy itself has seen. Everything before it in that header is the client's word.
 */
export function createAddressOf(trustProxy: boolean) {
  return ({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): string => {
    const forwarded = trustProxy ? headers['x-forwarded-for'] : undefined;
    const last = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded)?.split(',').at(-1)?.trim() ?? '';
    return isIP(last) === 0 ? (socket.remoteAddress ?? '') : last;
  };
}

export type AddressOf = ReturnType<typeof createAddressOf>;

/**
 * Who counts as one: an IPv4 address, or an IPv6 network of 64 bits, of which every client has as many addresses as it
 * likes.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.replace(/%.*$/, '').toLowerCase().split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
