/** Something the person at the terminal can put right: printed as its one sentence, without a stack. */
export class Failure extends Error {
  /** @override */
  name = 'Failure';
}
