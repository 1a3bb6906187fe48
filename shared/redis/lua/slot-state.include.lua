-- Included by every script that appends entries to a partition's stream at somebody's wish: what the slot says, and whether it takes them.
--
-- `entries` may be appended at most; above `mostUnsettled` entries that not both groups have settled, nothing more is taken.
-- Replies the fields epoch, complete, since, appended, settled:inbox, settled:history, sent, bucket, and a refusal or nil:
--   closed  the slot was never opened, or was wiped: refuse before anything else
--   full    too much is not settled yet: refuse before the first write; what writes nothing may still be answered
local function slotState(slot, entries, mostUnsettled)
  local state = redis.call('HMGET', slot, 'epoch', 'complete', 'since', 'appended', 'settled:inbox', 'settled:history', 'sent', 'bucket')
  if not state[1] then return state, 'closed' end
  local settled = math.min(tonumber(state[5] or 0), tonumber(state[6] or 0))
  if tonumber(state[4] or 0) - settled + entries > mostUnsettled then return state, 'full' end
  return state, nil
end
