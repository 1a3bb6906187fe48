import { type ListShown, loadList, openApp, untilSettled } from './app-page.ts';
import { startSlowWay } from './slow-way.ts';
import type { Stage } from './stage.ts';

const roundTripMs = 400;

/**
 * A load of the chat app until its list is on the screen, once with nothing in the storage and once with all of it.
 * What the client asks the server takes 400 ms both times. The files of the app do not: they come before the client,
 * with and without a storage.
 */
export async function showList(stage: Stage, user: string): Promise<{ network: ListShown; stored: ListShown }> {
  const way = await startSlowWay({ to: stage.port, roundTripMs, slow: /^[A-Z]+ \/v1\// });
  const origin = `http://127.0.0.1:${way.port}`;
  try {
    return await stage.withProfile(async (profile) => {
      const page = await openApp(profile, origin);
      const token = await stage.cluster.token(user);
      const network = await loadList(page, origin, token);
      await untilSettled(page);
      const stored = await loadList(page, origin, token);
      return { network, stored };
    });
  } finally {
    await way.close();
  }
}
