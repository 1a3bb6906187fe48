/** Where a session's frames go. None of it throws. */
export type Outlet = {
  write(text: string): void;
  /** The bytes of one whole WebSocket frame. */
  writeFrame(frame: Buffer): void;
  /** Bytes that wait to be written to the socket. */
  readonly waitingBytes: number;
  close(code: number, why: string): void;
};
