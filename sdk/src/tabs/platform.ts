/** The part of a browser's lock manager that is used. */
export type Locks = {
  request(
    name: string,
    options: { steal?: boolean; signal?: AbortSignal },
    held: () => Promise<void> | undefined,
  ): Promise<unknown>;
};

/** The part of a BroadcastChannel that is used. */
export type TabChannel = {
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  postMessage(data: unknown): void;
  close(): void;
};

export type TabChannelConstructor = new (name: string) => TabChannel;

/** What browsers have in secure contexts; Node has it from version 24 on. */
export type TabPlatform = { navigator?: { locks?: Locks }; BroadcastChannel?: TabChannelConstructor };
