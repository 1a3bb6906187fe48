-- @include groups
-- @include slot-open
-- @include stream-ids
-- Trims a message stream below what both groups have settled, and corrects the settled counters. The slot keeps the id
-- of the last entry that is gone, so that a history that does not have it is recognised.
--
-- KEYS
--   1  slot of the partition
--   2  messages
-- ARGV
--   1  1 if the server itself has to keep what any group has not settled (ACKED, Redis 8.2)
--   2… names of the groups that must all have settled an entry before it is trimmed
-- Replies:
--   closed
--   missing <group>                     nothing was trimmed
--   trimmed <entries> <entries left>
-- Safe to repeat. Never trim by length: that would drop entries that a group has not read.
local slot, messages = KEYS[1], KEYS[2]
if not isOpen(redis.call('HGET', slot, 'open')) then return 'closed' end
if redis.call('EXISTS', messages) == 0 then return 'trimmed 0 0' end
local delivered = lastDelivered(messages)

local function following(id)
  local ms, seq = idParts(id)
  return string.format('%.0f-%.0f', ms, seq + 1)
end

local lowest
local groups = {unpack(ARGV, 2)}
for _, group in ipairs(groups) do
  if not delivered[group] then return 'missing ' .. group end
  local pending = redis.call('XPENDING', messages, group)
  local unsettled = pending[1] > 0 and pending[2] or following(delivered[group])
  if not lowest or isBelow(unsettled, lowest) then lowest = unsettled end
end
local below = redis.call('XREVRANGE', messages, '(' .. lowest, '-', 'COUNT', 1)[1]
if not below then return 'trimmed 0 ' .. redis.call('XLEN', messages) end
local last, trimmed = below[1], nil
if ARGV[1] == '1' then
  trimmed = redis.call('XTRIM', messages, 'MINID', lowest, 'ACKED')
else
  trimmed = redis.call('XTRIM', messages, 'MINID', lowest)
end
if trimmed > 0 then redis.call('HSET', slot, 'trimmed', last) end
local left = redis.call('XLEN', messages)
if left == 0 then
  local appended = redis.call('HGET', slot, 'appended') or 0
  for _, group in ipairs(groups) do redis.call('HSET', slot, 'settled:' .. group, appended) end
end
return 'trimmed ' .. trimmed .. ' ' .. left
