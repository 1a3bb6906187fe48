-- @include append-message
-- @include choose-way
-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- @include member-list
-- Lets a user join or leave a group. One step takes the next seq, writes the spans, raises the version and appends the
-- change as a message, so joins, leaves and messages have one order.
--
-- Two ended spans with no seq between them are merged: they show the same seqs. The newest span is never merged, since
-- it says where the member joined. Merged spans still count as joinings.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  merged
--   6  listed
-- ARGV
--   1  conversation
--   2  join|leave
--   3  acting user
--   4  service (0|1)
--   5  user that joins or leaves
--   6  action word
--   7  message tail
--   8  maximum members
--   9  maximum members of a group whose messages have inbox entries
--   10 maximum joinings of one user, not enforced for services
--   11 maximum unsettled entries
-- Replies:
--   closed | full | load | not_found | forbidden | too_large | unchanged
--   spent                     the user has joined too often
--   changed <seq> <streamId>
-- Safe to repeat: the second call replies `unchanged`.
local slot, messages, conversation, members, merged, listed = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local id, operation, actor, service, user = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local action, tail, most = ARGV[6], ARGV[7], tonumber(ARGV[8])

local state, refusal = slotState(slot, 1, tonumber(ARGV[11]))
if refusal == 'closed' then return refusal end
local line = state[1]
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'prev', 'version', 'kind', 'service', 'users', 'count',
  'large', 'listed')
if found[1] ~= line then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end

local function open(spans) return spans and string.sub(spans, -1) == '-' end
if found[5] == 'direct' then
  local users = ',' .. found[7] .. ','
  if service == '0' and not string.find(users, ',' .. actor .. ',', 1, true) then return 'not_found' end
  return 'forbidden'
end
if service == '0' then
  if not open(redis.call('HGET', members, actor)) then return 'not_found' end
  if found[6] == '1' then return 'forbidden' end
end
local spans = redis.call('HGET', members, user)
if (operation == 'join') == (open(spans) or false) then return 'unchanged' end
if operation == 'join' and tonumber(found[8]) >= most then return 'too_large' end
if operation == 'join' and service == '0' and spans then
  local _, commas = string.gsub(spans, ',', ',')
  if commas + 1 + (redis.call('HGET', merged, user) or 0) >= tonumber(ARGV[10]) then return 'spent' end
end
if refusal then return refusal end

local prev = found[3] or found[2]
local before = string.format('%.0f', found[2])
local seq = string.format('%.0f', found[2] + 1)
local version = string.format('%.0f', found[4] + 1)
if operation == 'join' then
  -- Not in a large group: announcements to a user end at each of its joins and leaves there (catch-up.lua).
  local left, joined, last = string.match(string.sub(spans or '', -60), '%-(%d+),(%d+)%-(%d+)$')
  if left and left == joined and not found[9] then
    spans = string.sub(spans, 1, -(#left + #joined + #last + 3)) .. last
    redis.call('HINCRBY', merged, user, 1)
  end
  spans = (spans and spans .. ',' or '') .. before .. '-'
else
  spans = spans .. seq
end
redis.call('HSET', conversation, 'seq', seq, 'version', version)
local count = redis.call('HINCRBY', conversation, 'count', operation == 'join' and 1 or -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local route
prev, route = chooseWay(conversation, found[9], count > tonumber(ARGV[9]), prev, seq, string.format('%.0f', now))
if found[3] then redis.call('HDEL', conversation, 'prev') end
redis.call('HSET', members, user, spans)
if carryList(conversation, found[10], found[4], version) and redis.call('EXISTS', listed) == 1 then
  if operation == 'join' then redis.call('ZADD', listed, 0, user) else redis.call('ZREM', listed, user) end
end
local streamId = appendMessage(messages, now, '1 message ' .. id .. ' ' .. seq .. ' ' .. prev .. ' ' .. version
  .. ' ' .. actor .. ' * normal - ' .. user .. ':' .. action .. ':' .. spans .. route, tail)
redis.call('HINCRBY', slot, 'appended', 1)
return 'changed ' .. seq .. ' ' .. streamId
