import { createRevocations } from '../../shared/redis/inboxes/revocations.ts';
import { createAuthenticate } from '../auth/authenticate.ts';
import { createDisconnect, createRemoveDevice } from '../auth/disconnect-user.ts';
import { createFetchReport, createKeyServer } from '../auth/key-server.ts';
import { createAdmission } from '../auth/revocation.ts';
import type { CloseElsewhere } from '../push/close-elsewhere.ts';
import type { GatewayContext } from './context.ts';
import type { Stores } from './stores.ts';

/** Checks tokens and revokes them. */
export function createAuth(
  { config, log, metrics, keys }: GatewayContext,
  { redis, inboxes }: Stores,
  closeElsewhere: CloseElsewhere,
) {
  const keyServer =
    config.AUTH_JWKS_URL === '' ? null : createKeyServer(config.AUTH_JWKS_URL, createFetchReport(metrics, log));
  const authenticate = createAuthenticate(config.AUTH_SECRET, keyServer, {
    audiences: config.AUTH_AUDIENCE,
    issuers: config.AUTH_ISSUER,
    serviceScope: config.AUTH_SERVICE_SCOPE,
  });
  const revocations = createRevocations(redis, keys);
  return {
    authenticate,
    admit: createAdmission(authenticate, revocations),
    disconnect: createDisconnect(revocations, closeElsewhere),
    removeDevice: createRemoveDevice(inboxes, closeElsewhere),
  };
}

export type Auth = ReturnType<typeof createAuth>;
