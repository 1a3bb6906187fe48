import { forgetDevice } from './device-id.ts';
import type { Inside } from './inside.ts';

/** The ends of a client: closed for good, and signed out. */
export function createEnding(inside: Inside): { close(): Promise<void>; signOut(): Promise<void> } {
  const close = async (): Promise<void> => {
    if (inside.isClosed) return;
    inside.isClosed = true;
    const { intake, cache, tabs, link, waiting, writer, storage } = inside;
    intake.flush();
    cache.close();
    await tabs?.close();
    link.close();
    waiting.endConnected();
    await writer.flushed();
    await storage.close();
  };

  return {
    close,
    async signOut() {
      const { http, writer, tabs, link, storage, options, fault } = inside;
      await http('DELETE', `/devices/${encodeURIComponent(writer.meta.device)}`).catch((error: unknown) =>
        fault(error as Error, 'sign_out'),
      );
      await tabs?.close({ signedOut: true });
      link.close();
      await writer.flushed();
      await storage.erase();
      forgetDevice(options.storage?.name);
      await close();
    },
  };
}
