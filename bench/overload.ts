/** After an overload, the backlog in sockets and stream takes as long again to drain. */
export const overloadPatienceMs = 60_000;
