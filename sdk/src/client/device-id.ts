/** The part of `localStorage` that is used. */
type Kept = {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
};

const key = 'restante:device';
const storedKey = (storage = ''): string => `restante:stored:${storage}`;

/** Null where there is none, or the browser forbids it. */
function kept(): Kept | null {
  try {
    return (globalThis as { localStorage?: Kept }).localStorage ?? null;
  } catch {
    return null;
  }
}

function set(name: string, value: string | null): void {
  try {
    if (value === null) kept()?.removeItem(name);
    else kept()?.setItem(name, value);
  } catch {
    // Full or forbidden: the storage has the name too.
  }
}

/**
 * The name of this installation, beside the storage. A browser may evict the storage and leave this: then the same
 * device begins at position 0, instead of a new one that pushes another device of the user out.
 */
export const namedDevice = (): string | null => kept()?.getItem(key) ?? null;

export const nameDevice = (device: string): void => set(key, device);

/**
 * Whether the storage of this name has held something: if it is empty now, it was lost. The name of the device does not
 * say so, because another tab may have made it a moment ago.
 */
export const wasStored = (storage?: string): boolean => kept()?.getItem(storedKey(storage)) === 'yes';

export const noteStored = (storage?: string): void => set(storedKey(storage), 'yes');

export function forgetDevice(storage?: string): void {
  set(key, null);
  set(storedKey(storage), null);
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

export function newDevice(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `web-${Array.from(bytes, (byte) => letters[byte % letters.length]).join('')}`;
}
