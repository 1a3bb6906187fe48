-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- @include member-list
-- Changes the name of a group, or the number of days for which history keeps a conversation's messages.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
-- ARGV
--   1  conversation
--   2  acting user
--   3  service (0|1)
--   4  whether the name changes (0|1)
--   5  name ('' = none)
--   6  whether the days change (0|1)
--   7  historyDays ('' = no days of its own)
--   8  rest of the entry (JSON)
--   9  maximum unsettled entries
-- Replies:
--   closed | full | load | not_found | forbidden | unchanged
--   changed <stream id of the entry>
-- No entry is made if nothing changes. Safe to repeat: the second call replies `unchanged`.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, actor, service, rest = ARGV[1], ARGV[2], ARGV[3], ARGV[8]
local naming, name, dating, days = ARGV[4], ARGV[5], ARGV[6], ARGV[7]

local state, refusal = slotState(slot, 1, tonumber(ARGV[9]))
if refusal == 'closed' then return refusal end
local line = state[1]
local found = redis.call('HMGET', conversation, 'epoch', 'kind', 'users', 'version', 'name', 'historyDays', 'listed')
if found[1] ~= line then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end
local direct = found[2] == 'direct'
if service == '0' then
  if direct then
    local users = ',' .. found[3] .. ','
    if not string.find(users, ',' .. actor .. ',', 1, true) then return 'not_found' end
  else
    local spans = redis.call('HGET', members, actor)
    if not spans or string.sub(spans, -1) ~= '-' then return 'not_found' end
  end
end
if (direct and naming == '1') or (service == '0' and dating == '1') then return 'forbidden' end
local renamed = naming == '1' and name ~= (found[5] or '')
local redated = dating == '1' and days ~= (found[6] or '')
if not renamed and not redated then return 'unchanged' end
if refusal then return refusal end
local version = string.format('%.0f', found[4] + 1)
redis.call('HSET', conversation, 'version', version)
carryList(conversation, found[7], found[4], version)
if naming == '1' then redis.call('HSET', conversation, 'name', name) end
if dating == '1' then
  if days == '' then
    redis.call('HDEL', conversation, 'historyDays')
  else
    redis.call('HSET', conversation, 'historyDays', days)
  end
end
local streamId = redis.call('XADD', messages, '*', 'r', '1 renamed ' .. id .. ' ' .. version, 't', rest)
redis.call('HINCRBY', slot, 'appended', 1)
return 'changed ' .. streamId
