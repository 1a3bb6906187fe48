/** Origins as they are compared: in lower case, without the slash that addresses end with. */
export const originSet = (origins: readonly string[]): ReadonlySet<string> =>
  new Set(origins.map((origin) => origin.toLowerCase().replace(/\/$/, '')));

/**
 * Which web pages may connect: those of the same origin and the allowed ones. A client that sends no Origin is no web
 * page. Exact comparison of the whole origin; `null` and look-alikes are refused.
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
