/**
 * Which web pages may connect: those of the same origin and the allowed ones. A client that sends no Origin is no web page.
 * Exact comparison of the whole origin; `null` and look-alikes are refused.
 */
export function createOriginCheck(allowed: readonly string[], trustProxy: boolean) {
  const list = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')));
  return (header: (name: string) => string | undefined): boolean => {
    const origin = header('origin')?.toLowerCase();
    if (origin === undefined) return true;
    if (list.has(origin)) return true;
    const host = ((trustProxy ? header('x-forwarded-host') : undefined) ?? header('host'))?.toLowerCase();
    return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
  };
}

export type OriginCheck = ReturnType<typeof createOriginCheck>;
