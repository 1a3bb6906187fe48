import { blankMeta, type Opened, type Storage } from '../storage/storage.ts';
import { nameDevice, namedDevice, newDevice, noteStored, wasStored } from './device-id.ts';

/**
 * Opens the storage and says which device this is. A storage that is empty although it has held something was lost: the
 * same device begins at position 0, and never continues from a place whose messages it does not have.
 */
export async function openStorage(
  storage: Storage,
  { device, storage: given }: { device?: string; storage?: Storage },
  lost: () => void,
): Promise<Opened> {
  // Before it is opened: another tab may store its first rows meanwhile.
  const hadRows = given?.persistent === true && wasStored(given.name);
  const found = await storage.open();
  const before: Opened = { ...blankMeta, term: 0, ...found };
  // One that does not open today may open tomorrow: it is the same device.
  const named = given?.persistent === true ? namedDevice() : null;
  if (!storage.persistent) return { ...before, device: device ?? named ?? newDevice() };
  const stored = before.device === '' ? null : before.device;
  if (stored !== null) noteStored(given?.name);
  else if (hadRows) lost();
  const known = device ?? stored ?? named ?? newDevice();
  nameDevice(known);
  return { ...before, device: known };
}
