import { startGateway } from './gateway.ts';

/** Process `web`: a gateway. */
await startGateway(process.env);
