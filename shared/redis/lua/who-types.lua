-- @include slot-open
-- Says who is to be told that a user types in a conversation. Asked each time, so that nobody is told who was removed.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
-- ARGV
--   1  user
--   2  maximum members of the conversation
--   3  maximum entries of the partition that the group `inbox` has not settled
--   4  maximum current and former members of a group
-- Replies:
--   {closed} | {load} | {not_found}
--   {busy}  more entries wait: messages go first
--   {many}  the conversation has more members, or has had too many to look through
--   {told, the other members…}
-- Reads only.
local slot, conversation, members = KEYS[1], KEYS[2], KEYS[3]
local user, most = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HMGET', slot, 'line', 'complete', 'open', 'appended', 'settled:inbox')
if not isOpen(state[3]) then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'users', 'count')
if found[1] ~= state[1] then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end

local told = {'told'}
if found[2] then
  local comma = string.find(found[2], ',', 1, true)
  local one, other = string.sub(found[2], 1, comma - 1), string.sub(found[2], comma + 1)
  if user ~= one and user ~= other then return {'not_found'} end
  if one ~= other then told[2] = user == one and other or one end
elseif string.sub(redis.call('HGET', members, user) or '', -1) ~= '-' then
  return {'not_found'}
end
if tonumber(state[4] or 0) - tonumber(state[5] or 0) > tonumber(ARGV[3]) then return {'busy'} end
if found[2] then return most >= 2 and told or {'many'} end
if tonumber(found[3]) > most or redis.call('HLEN', members) > tonumber(ARGV[4]) then return {'many'} end
local all = redis.call('HGETALL', members)
for i = 1, #all, 2 do
  if all[i] ~= user and string.sub(all[i + 1], -1) == '-' then told[#told + 1] = all[i] end
end
return told
