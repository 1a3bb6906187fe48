/** An error that the person at the terminal can fix: printed as its one sentence, without a stack. */
export class Failure extends Error {
  /** @override */
  name = 'Failure';
}
