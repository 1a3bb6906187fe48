/**
 * Where the cold store keeps its objects: bytes under a name (`ab/rest`, of letters, digits and `_-~.`). All that
 * another kind of place, such as a bucket, has to give.
 */
export type ObjectStore = {
  /**
   * Puts an object in its place, whole: durable when it resolves; whoever reads meanwhile gets the one before, or none.
   */
  put(name: string, bytes: Uint8Array): Promise<void>;
  /** The same, but only where there is none: resolves false, with nothing changed, where there is one. */
  putNew(name: string, bytes: Uint8Array): Promise<boolean>;
  /** Rejects where there is none. */
  get(name: string): Promise<Uint8Array>;
  /** Nothing happens where there is none. */
  remove(name: string): Promise<void>;
  /** The names that begin with `<folder>/`. */
  list(folder: string): Promise<string[]>;
};
