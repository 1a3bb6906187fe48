/** The part of `localStorage` that is used. */
type Kept = {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
};

const key = 'restante:device';

/** Null where there is none, or the browser forbids it. */
function kept(): Kept | null {
  try {
    return (globalThis as { localStorage?: Kept }).localStorage ?? null;
  } catch {
    return null;
  }
}

/**
 * The name of this installation, beside the storage. A browser may evict the storage and leave this: then the same
 * device begins at position 0, instead of a new one that pushes another device of the user out.
 */
export const namedDevice = (): string | null => kept()?.getItem(key) ?? null;

export function nameDevice(device: string | null): void {
  try {
    if (device === null) kept()?.removeItem(key);
    else kept()?.setItem(key, device);
  } catch {
    // Full or forbidden: the storage has the name too.
  }
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

export function newDevice(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `web-${Array.from(bytes, (byte) => letters[byte % letters.length]).join('')}`;
}
