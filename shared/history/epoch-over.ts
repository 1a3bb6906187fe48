/** A write of the archive was refused: another epoch has begun since its entries were read from Redis. */
export class EpochOver extends Error {
  override readonly name = 'EpochOver';

  constructor(epoch: string) {
    super(`the entries were read in epoch ${epoch}, which is over`);
  }
}

/** Throws if the write of an epoch names no partition: its progress is where MongoDB notices another epoch. */
export function mustHaveProgress({ epoch, progress }: { epoch?: string | undefined; progress: unknown }): void {
  if (epoch !== undefined && progress === null) throw new Error('a write of an epoch needs a progress');
}
