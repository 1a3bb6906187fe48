import type { Device } from './device.ts';

/** `count` whole numbers, beginning with `from`. */
export const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/**
 * Sends messages with the clientIds `<name>-0`, `<name>-1`, … and waits until all are accepted. They go to a user, or
 * to the `to` or `conversation` of `target`. The body of each is its number, unless `body` says otherwise.
 */
export async function sendMany(
  device: Device,
  target: string | object,
  count: number,
  name = 'm',
  body: (i: number) => unknown = (i) => i,
): Promise<void> {
  const where = typeof target === 'string' ? { to: target } : target;
  const before = device.all('accepted').length;
  for (let i = 0; i < count; i++)
    device.send({ type: 'send', clientId: `${name}-${i}`, ...where, kind: 'text', body: body(i) });
  await device.until(`${count} accepted`, () => device.all('accepted').length === before + count);
}
