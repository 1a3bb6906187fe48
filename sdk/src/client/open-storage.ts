import type { Opened, Storage } from '../storage/storage.ts';
import { nameDevice, namedDevice, newDevice } from './device-id.ts';

/**
 * Opens the storage and says which device this is. A storage that is empty although a device was named was lost: the
 * same device begins at position 0, and never continues from a place whose messages it does not have.
 */
export async function openStorage(storage: Storage, device: string | undefined, lost: () => void): Promise<Opened> {
  const found = await storage.open();
  if (!storage.persistent) return { user: null, position: 0, epoch: null, ...found, device: device ?? newDevice() };
  const named = namedDevice();
  if (found === null && named !== null) lost();
  const known = device ?? found?.device ?? named ?? newDevice();
  nameDevice(known);
  return { user: null, position: 0, epoch: null, ...found, device: known };
}
