import type { Config } from '../../../shared/process/config.ts';
import type { Channel } from './channel.ts';
import { createWebhook } from './webhook.ts';

/** The channels that the settings choose, a line for each. Without any nobody is notified. */
export function configuredChannels({
  NOTIFY_URL,
  NOTIFY_SECRET,
}: Pick<Config, 'NOTIFY_URL' | 'NOTIFY_SECRET'>): Channel[] {
  const channels: Channel[] = [];
  if (NOTIFY_URL !== '') channels.push(createWebhook(NOTIFY_URL, NOTIFY_SECRET));
  return channels;
}
