import type { HttpParts } from '../context.ts';
import type { Route } from '../route.ts';
import { conversationRoutes } from './conversations.ts';
import { deviceRoutes } from './devices.ts';
import { inboxRoutes } from './inbox.ts';
import { memberRoutes } from './members.ts';
import { messageRoutes } from './messages.ts';
import { presenceRoutes } from './presence.ts';
import { receiptRoutes } from './receipts.ts';
import { searchRoutes } from './search.ts';
import { settingsRoutes } from './settings.ts';
import { userRoutes } from './users.ts';

/** Every route under /v1 that needs a token. */
export const routesOf = (parts: HttpParts): Route[] => [
  ...messageRoutes(parts),
  ...conversationRoutes(parts),
  ...memberRoutes(parts),
  ...inboxRoutes(parts),
  ...deviceRoutes(parts),
  ...presenceRoutes(parts),
  ...userRoutes(parts),
  ...searchRoutes(parts),
  ...receiptRoutes(parts),
  ...settingsRoutes(parts),
];
