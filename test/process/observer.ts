import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../tools/harness/local-cluster.ts';
import { openDevice, type Device } from '../support/device.ts';
import type { PushedItem } from '../support/frames.ts';

/**
 * A membership as the answers to its changes say: seqs above `joined` and up to `left` (null: a member still) are to be
 * seen.
 */
export type Time = { joined: number; left: number | null };

/**
 * A device of one user that follows one conversation by what is pushed alone: items with and without position, and
 * gaps. It confirms what has a position, connects again whenever it is cut off, to one gateway or another, and keeps
 * account of what it was given.
 */
export class Observer {
  readonly user: string;
  private readonly conversation: string;
  private readonly cluster: Cluster;
  /** Seqs that came as items, on any connection. */
  readonly items = new Map<number, string>();
  /** Seqs that a gap has announced. */
  readonly announced = new Set<number>();
  readonly violations: string[] = [];
  withoutPosition = 0;
  withPosition = 0;
  private position = 0;
  private epoch: string | undefined;
  private device: Device | null = null;
  private stopped = false;
  private readonly running: Promise<void>;

  constructor(cluster: Cluster, user: string, conversation: string) {
    [this.cluster, this.user, this.conversation] = [cluster, user, conversation];
    this.running = this.run();
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.follow();
      } catch {
        // As a client waits before it connects again, so that all do not come at once.
        await pause(20 + Math.random() * 80);
      }
    }
  }

  private async follow(): Promise<void> {
    const { urls } = this.cluster;
    const device = await openDevice(`${urls[Math.floor(Math.random() * urls.length)]!}/v1/ws`);
    this.device = device;
    device.send({
      type: 'hello',
      token: await this.cluster.token(this.user),
      device: 'phone',
      position: this.position,
      ...(this.epoch === undefined ? {} : { epoch: this.epoch }),
    });
    const seen = new Set<number>();
    let highest = 0;
    let read = 0;
    device.socket.on('message', () => {
      for (const frame of device.frames.slice(read)) {
        if (frame.type === 'welcome') this.epoch = (frame as unknown as { epoch: string }).epoch;
        if (frame.type === 'gap') {
          const gap = frame as unknown as { position: number; conversation: string; fromSeq: number; toSeq: number };
          if (gap.conversation === this.conversation)
            for (let seq = gap.fromSeq; seq <= gap.toSeq; seq++) this.announced.add(seq);
          this.confirm(device, gap.position);
        }
        if (frame.type === 'deliver') {
          for (const item of (frame as unknown as { items: PushedItem[] }).items) {
            const { seq, conversation } = item.message;
            if (conversation !== this.conversation) {
              if (item.position !== undefined) this.confirm(device, item.position);
              continue;
            }
            if (seen.has(seq)) this.violations.push(`${this.user}: ${seq} twice on one connection`);
            if (seq < highest) this.violations.push(`${this.user}: ${seq} after ${highest}`);
            seen.add(seq);
            highest = Math.max(highest, seq);
            this.take(device, item);
          }
        }
      }
      read = device.frames.length;
    });
    await device.closed;
  }

  private take(device: Device, { position, message }: PushedItem): void {
    const before = this.items.get(message.seq);
    if (before !== undefined && before !== message.id)
      this.violations.push(`${this.user}: ${message.seq} is ${before} and ${message.id}`);
    if (before !== undefined && position === undefined)
      this.violations.push(`${this.user}: ${message.seq} came live once more`);
    this.items.set(message.seq, message.id);
    if (position === undefined) this.withoutPosition += 1;
    else {
      this.withPosition += 1;
      this.confirm(device, position);
    }
  }

  private confirm(device: Device, position: number): void {
    if (position <= this.position) return;
    this.position = position;
    device.received(position);
  }

  /** Cuts the connection, as a network does. */
  cut(): void {
    this.device?.socket.terminate();
  }

  has(seq: number): boolean {
    return this.items.has(seq) || this.announced.has(seq);
  }

  /** What it should have seen of `last` seqs by these times of membership and has neither got nor been told of. */
  missing(times: Time[], last: number, own: (seq: number) => boolean): number[] {
    const missing: number[] = [];
    for (const { joined, left } of times)
      for (let seq = joined + 1; seq <= (left ?? last); seq++) if (!this.has(seq) && !own(seq)) missing.push(seq);
    return missing;
  }

  /**
   * What it has seen outside of its times, or been told of before the first or after the last. In between a gap may
   * reach over a time of absence: an inbox keeps a bounded number of them, and merges the oldest.
   */
  leaked(times: Time[]): number[] {
    const within = (seq: number): boolean =>
      times.some(({ joined, left }) => seq > joined && (left === null || seq <= left));
    const [first, last] = [times[0]?.joined ?? Infinity, times.at(-1)?.left ?? Infinity];
    return [
      ...[...this.items.keys()].filter((seq) => !within(seq)),
      ...[...this.announced].filter((seq) => seq <= first || seq > last),
    ];
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.device?.socket.terminate();
    await this.running;
  }
}
