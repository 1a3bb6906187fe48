-- @include device
-- @include slot-open
-- Reads the devices of a user and whether they are online. A route counts while the lease of its gateway lasts.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
-- ARGV
--   1  devices unseen for longer than this count as forgotten (ms)
--   2  the same for ephemeral devices
-- Replies:
--   {closed} | {load}
--   {devices, device, position, last seen (ms), online 0|1, ephemeral 0|1, …}
-- Reads only.
local slot, user, devices = KEYS[1], KEYS[2], KEYS[3]
local forgetMs, forgetEphemeralMs = tonumber(ARGV[1]), tonumber(ARGV[2])

local meta = redis.call('HMGET', slot, 'line', 'loads', 'open')
if not isOpen(meta[3]) then return {'closed'} end
local found = redis.call('HMGET', user, 'epoch', 'loaded', 'routes')
if meta[2] and found[2] ~= meta[2] then return {'load'} end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local online = {}
if found[1] == meta[1] then
  for gateway, device in string.gmatch(found[3] or '', '([^ ;]+) [^ ;]+ ([^ ;]+)') do
    if tonumber(redis.call('HGET', slot, 'gateway:' .. gateway) or 0) > now then online[device] = true end
  end
end

local reply = {'devices'}
local known = redis.call('HGETALL', devices)
for i = 1, #known, 2 do
  local position, seen, words = readDevice(known[i + 1])
  if online[known[i]] or now - tonumber(seen) <= (isEphemeral(words) and forgetEphemeralMs or forgetMs) then
    reply[#reply + 1], reply[#reply + 2], reply[#reply + 3] = known[i], position, seen
    reply[#reply + 1], reply[#reply + 2] = online[known[i]] and 1 or 0, isEphemeral(words) and 1 or 0
  end
end
return reply
