-- For scripts that append entries to a partition's stream on request: reads the slot and decides whether it takes them.
--
-- At most `entries` are going to be appended. They are refused if more than `mostUnsettled` entries would then be
-- unsettled by the slowest group. Needs consumer-groups and slot-open.
-- Returns the fields line, complete, since, appended, sent, bucket, open and those of `settledFields`; and a refusal or
-- nil:
--   closed  the slot is not open for this call: refuse before anything else
--   full    too many entries are unsettled: refuse before the first write; replies that write nothing are still fine
local function slotState(slot, entries, mostUnsettled)
  local state = redis.call('HMGET', slot, 'line', 'complete', 'since', 'appended', 'sent', 'bucket', 'open',
    unpack(settledFields))
  if not isOpen(state[7]) then return state, 'closed' end
  local settled = tonumber(state[8] or 0)
  for i = 9, #state do settled = math.min(settled, tonumber(state[i] or 0)) end
  if tonumber(state[4] or 0) - settled + entries > mostUnsettled then return state, 'full' end
  return state, nil
end
