-- @include slot-open
-- Reads how far the members of a conversation have received and read it.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
--   4  receipts
-- ARGV
--   1  user who asks ('' = a service)
--   2  maximum members
-- Replies:
--   {closed} | {load} | {not_found}
--   {found, user, received seq, read seq, …}  of every other member of whom something is kept; of nobody in a
--                                             conversation of more members than the maximum
-- Reads only.
local asking, most = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'line', 'complete', 'open')
if not isOpen(state[3]) then return {'closed'} end
local found = redis.call('HMGET', KEYS[2], 'epoch', 'kind', 'users', 'count')
if found[1] ~= state[1] then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
local users = found[2] == 'direct' and ',' .. found[3] .. ','

local function isMember(user)
  if users then return string.find(users, ',' .. user .. ',', 1, true) end
  local spans = redis.call('HGET', KEYS[3], user)
  return spans and string.byte(spans, -1) == 45
end

if asking ~= '' and not isMember(asking) then return {'not_found'} end
local reply = {'found'}
if users and most < 2 or not users and tonumber(found[4]) > most then return reply end
if redis.call('HGET', KEYS[4], 'epoch') ~= state[1] then return reply end
local fields = redis.call('HGETALL', KEYS[4])
for i = 1, #fields, 2 do
  local user = string.sub(fields[i], 3)
  if string.sub(fields[i], 1, 2) == 'r:' and user ~= asking and isMember(user) then
    local received, read = string.match(fields[i + 1], '^(%d+) (%d+)$')
    reply[#reply + 1] = user
    reply[#reply + 1] = received
    reply[#reply + 1] = read
  end
end
return reply
