-- @include slot-open
-- @include waiting
-- Lists users of a shard to look at now, by Redis' time.
--
-- KEYS
--   1  slot of the shard
--   2  waiting
--   3  told
-- ARGV
--   1  ms after which unreceived messages are due
--   2  window (ms)
--   3  maximum users
-- Replies:
--   {closed}
--   {due, name, …}  each once. Includes users whose moment is stray; review-waiting.lua corrects it.
-- Reads only.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names, seen = {'due'}, {}
local function add(found)
  for _, name in ipairs(found) do
    if not seen[name] then names[#names + 1] = name end
    seen[name] = true
  end
end
for i, key in ipairs({KEYS[2], KEYS[3]}) do
  add(redis.call('ZRANGEBYSCORE', key, '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[3]))
  add(redis.call('ZRANGEBYSCORE', key, string.format('(%.0f', now + ARGV[i] + slackMs), '+inf', 'LIMIT', 0, ARGV[3]))
end
return names
