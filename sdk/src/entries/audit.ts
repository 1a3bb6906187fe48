/** The entry `restante-client/audit`: checks that the server keeps its promises. */
export { audit, type Audit, type Violation } from '../audit/audit.ts';
