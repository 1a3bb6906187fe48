/** The entry `restante-client/testing`: a clock and a server for the tests of applications. */
export { fakeClock, type FakeClock } from '../testing/fake-clock.ts';
export { playedServer, type PlayedPeer, type PlayedServer } from '../testing/played-server.ts';
