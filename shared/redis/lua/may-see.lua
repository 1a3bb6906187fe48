-- @include slot-open
-- Lists the newest groups that a user is a member of, by their newest messages.
--
-- KEYS
--   1  slot of the shard
--   2  user
-- ARGV
--   1  maximum groups
-- Replies:
--   {closed} | {load}
--   {groups, conversation, …}
-- Reads only.
local meta = redis.call('HMGET', KEYS[1], 'loads', 'open')
if not isOpen(meta[2]) then return {'closed'} end
if meta[1] and redis.call('HGET', KEYS[2], 'loaded') ~= meta[1] then return {'load'} end
local groups = {}
local fields = redis.call('HGETALL', KEYS[2])
for i = 1, #fields, 2 do
  local conversation = string.match(fields[i], '^c:(.+)')
  if conversation and string.sub(conversation, 1, 2) ~= 'd_' then
    local at, status = string.match(fields[i + 1], '^%S+ %S+ %S+ (%d+) %S+ (%a)')
    if status == 'm' then groups[#groups + 1] = {id = conversation, at = tonumber(at)} end
  end
end
table.sort(groups, function(one, other) return one.at > other.at end)
local reply = {'groups'}
for i = 1, math.min(#groups, tonumber(ARGV[1])) do reply[i + 1] = groups[i].id end
return reply
