-- @include settings-line
-- @include slot-open
-- Reads what a user has set.
--
-- KEYS
--   1  slot of the partition of the user's id
--   2  settings
-- ARGV
--   none
-- Replies:
--   {closed} | {load}
--   {settings, version, key, "<version> <JSON>", …}
-- Reads only.
local state = redis.call('HMGET', KEYS[1], 'line', 'complete', 'open')
if not isOpen(state[3]) then return {'closed'} end
local stored = redis.call('HGETALL', KEYS[2])
local epoch, reply = nil, {'settings', '0'}
for i = 1, #stored, 2 do
  if stored[i] == 'epoch' then
    epoch = stored[i + 1]
  elseif stored[i] == 'version' then
    reply[2] = stored[i + 1]
  else
    reply[#reply + 1] = stored[i]
    reply[#reply + 1] = stored[i + 1]
  end
end
if mustLoad(epoch, state[1], state[2]) then return {'load'} end
return reply
