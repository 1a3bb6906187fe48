-- @include slot-open
-- Tells that a user is offline, if no device is connected and none was for a while.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
-- ARGV
--   1  user
--   2  presence channel of the shard
--   3  how long no device must have been there (ms)
-- Replies:
--   {closed}
--   {online}         some route is of a gateway whose lease lasts
--   {early, ms}      a device was there later than the caller thinks: ask again after this time
--   {offline, last seen (ms) or ''}; it was told in this very step
-- Safe to repeat: it is told again.
-- A device seen in the future was seen before the clock went back, so it is waited for no longer.
local slot, user = KEYS[1], KEYS[2]
if not isOpen(redis.call('HGET', slot, 'open')) then return {'closed'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for gateway in string.gmatch(redis.call('HGET', user, 'routes') or '', '([^ ;]+) [^;]+') do
  if tonumber(redis.call('HGET', slot, 'gateway:' .. gateway) or 0) > now then return {'online'} end
end
local seen = 0
for _, device in ipairs(redis.call('HVALS', KEYS[3])) do
  seen = math.max(seen, tonumber(string.match(device, '^%d+ (%d+)')))
end
local left = seen <= now and seen + ARGV[3] - now or 0
if left > 0 then return {'early', left} end
local last = seen > 0 and string.format('%.0f', seen) or ''
redis.call('PUBLISH', ARGV[2], 'P\n- ' .. ARGV[1] .. ' ' .. last)
return {'offline', last}
