/** Calls that wait for a connection, or for the first welcome, which names the user. */
export type Waiting = {
  connected(): Promise<void>;
  userKnown(): Promise<void>;
  /** They go on: there is a connection, or there will be none here. */
  endConnected(): void;
  /** They go on: the user is known. With an error they are rejected: the client is closed. */
  endUserKnown(error?: Error): void;
};

export function createWaiting(): Waiting {
  const forConnection: (() => void)[] = [];
  const forUser: { resolve(): void; reject(error: Error): void }[] = [];

  return {
    connected: () => new Promise((resolve) => forConnection.push(resolve)),
    userKnown: () => new Promise((resolve, reject) => forUser.push({ resolve, reject })),
    endConnected() {
      for (const resolve of forConnection.splice(0)) resolve();
    },
    endUserKnown(error) {
      for (const { resolve, reject } of forUser.splice(0))
        if (error === undefined) resolve();
        else reject(error);
    },
  };
}
