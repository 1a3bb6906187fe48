/** Origins in the form in which they are compared: lower case, without a slash at the end. */
export const originSet = (origins: readonly string[]): ReadonlySet<string> =>
  new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, '')));

/**
 * Whether a web page may connect: its origin must be the gateway's own or an allowed one. Whole origins are compared,
 * so look-alikes and `null` are refused. A client that sends no `Origin` is not a web page and may connect.
 */
export function createOriginCheck(allowed: readonly string[], trustProxy: boolean) {
  const list = originSet(allowed);
  return (header: (name: string) => string | undefined): boolean => {
    const origin = header('origin')?.toLowerCase();
    if (origin === undefined) return true;
    if (list.has(origin)) return true;
    const host = ((trustProxy ? header('x-forwarded-host') : undefined) ?? header('host'))?.toLowerCase();
    return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  };
}

export type OriginCheck = ReturnType<typeof createOriginCheck>;
