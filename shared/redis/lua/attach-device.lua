-- @include device
-- @include inbox-line
-- @include slot-open
-- Attaches a device that says hello: registers its route and says where its backlog begins. This is one step, so that
-- no append falls between the registration and the head in the reply.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
--   4  revoked
--   5  revoked devices
-- ARGV
--   1  gateway
--   2  session
--   3  device
--   4  position asked for ('' = none)
--   5  epoch asked for ('' = none)
--   6  lease of a gateway (ms)
--   7  maximum devices, ephemeral ones counted apart
--   8  devices unseen for longer than this are forgotten (ms)
--   9  jump after a loss
--   10 time the token was issued (seconds since 1970)
--   11 presence channel of the shard ('' = presence is not told)
--   12 whether the device is ephemeral 0|1; 1 only if every process reads such devices (formats.ts)
--   13 ephemeral devices unseen for longer than this are forgotten (ms)
-- Replies:
--   {closed}
--   {revoked}  the token was issued too early for the user or for this device
--   {load}
--   {full}     the maximum of other devices is online, of ephemeral ones for an ephemeral one
--   {attached, epoch, head, remembered position, position where the backlog begins, reset 0|1,
--    replaced "<gateway> <session>" or '', large groups of the user with spaces around each,
--    version of the user's settings that was copied here (-1: none since the shard has lost something),
--    whether no live route was there 0|1, whether the gateway's lease had lapsed 0|1}
-- Presence is told in this very step, so that news of one user come in the order of their causes: when the first live
-- route is there, and when a further gateway holds the user.
-- Safe to repeat: the later call replaces the earlier route.
local slot, user, devices = KEYS[1], KEYS[2], KEYS[3]
local gateway, session, device = ARGV[1], ARGV[2], ARGV[3]
local asked, askedEpoch = ARGV[4], ARGV[5]
local leaseMs, mostDevices, forgetMs, jump = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local asEphemeral, forgetEphemeralMs = ARGV[12] == '1', tonumber(ARGV[13])

local meta = redis.call('HMGET', slot, 'line', 'complete', 'generation', 'open', 'epoch', 'loads',
  'gateway:' .. gateway)
local state = {line = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
local epoch, loads = meta[5], meta[6]
if not isOpen(meta[4]) then return {'closed'} end

local issued = tonumber(ARGV[10])
if issued < tonumber(redis.call('GET', KEYS[4]) or 0)
  or issued < tonumber(redis.call('HGET', KEYS[5], device) or 0) then
  return {'revoked'}
end
if loads and redis.call('HGET', user, 'loaded') ~= loads then return {'load'} end
enterLine(state, user, devices, jump)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- Every hello renews the lease, since a gateway lets it lapse in a shard where it holds nobody. This hides nothing: a
-- connection that lost its route meanwhile is detected by the route itself (renew-gateway.lua).
local leasedTo = tonumber(meta[7] or 0)
redis.call('HSET', slot, 'gateway:' .. gateway, now + leaseMs)

-- Routes: "<gateway> <session> <device>;…". Those of gateways whose lease ran out long ago are dropped.
local stored = redis.call('HMGET', user, 'head', 'routes', 'larges', 'sv')
local head = tonumber(stored[1] or 0)
-- Devices count as online for a minute after the lease of their gateway: it may have been killed.
local routes, online, replaced = {gateway .. ' ' .. session .. ' ' .. device}, {}, ''
-- The live gateways that hold the user; whether a route was live before this call, and one of this gateway.
local holders, isLive, isHeld = gateway, false, false
for otherGateway, otherSession, otherDevice in string.gmatch(stored[2] or '', '([^ ;]+) ([^ ;]+) ([^ ;]+)') do
  local lease = tonumber(redis.call('HGET', slot, 'gateway:' .. otherGateway) or 0)
  if otherGateway == gateway then
    isHeld, isLive = true, isLive or leasedTo > now
  elseif lease > now then
    isLive = true
    if otherDevice ~= device and not string.find(',' .. holders .. ',', ',' .. otherGateway .. ',', 1, true) then
      holders = holders .. ',' .. otherGateway
    end
  end
  local isOnline = lease + 60000 > now
  if isOnline then online[otherDevice] = true end
  if otherDevice == device then
    replaced = otherGateway .. ' ' .. otherSession
  elseif isOnline then
    routes[#routes + 1] = otherGateway .. ' ' .. otherSession .. ' ' .. otherDevice
  end
end

-- If there are too many devices, the one unseen for longest is forgotten first. Ephemeral devices take no place from
-- others, and others none from them.
local known = redis.call('HGETALL', devices)
local remembered, words, others = 0, '', {}
for i = 1, #known, 2 do
  local position, seen, its = readDevice(known[i + 1])
  local keptMs = isEphemeral(its) and forgetEphemeralMs or forgetMs
  local isForgotten = now - tonumber(seen) > keptMs and not online[known[i]]
  if known[i] == device then
    if not (isForgotten and isEphemeral(its)) then remembered, words = tonumber(position), its end
  elseif isForgotten then
    redis.call('HDEL', devices, known[i])
  elseif isEphemeral(its) == asEphemeral then
    others[#others + 1] = {name = known[i], seen = online[known[i]] and math.huge or tonumber(seen)}
  end
end
table.sort(others, function(one, other) return one.seen < other.seen end)
while #others >= mostDevices do
  local oldest = table.remove(others, 1)
  if oldest.seen == math.huge then return {'full'} end
  redis.call('HDEL', devices, oldest.name)
end

local reset, from = 0, remembered
if (askedEpoch ~= '' and askedEpoch ~= epoch) or (asked ~= '' and tonumber(asked) > head) then
  reset, remembered, from = 1, 0, 0
elseif asked ~= '' then
  from = tonumber(asked)
  remembered = math.max(remembered, from)
end
if isEphemeral(words) then words = string.sub(words, 3) end
redis.call('HSET', devices, device, deviceText(remembered, now, (asEphemeral and ' e' or '') .. words))
redis.call('HSET', user, 'routes', table.concat(routes, ';'))
if ARGV[11] ~= '' and not (isLive and isHeld) then
  local name = string.match(user, '[^:]+$')
  redis.call('PUBLISH', ARGV[11], 'P\n+ ' .. name .. ' ' .. string.format('%.0f', now) .. ' ' .. holders)
end
return {'attached', epoch, string.format('%.0f', head), string.format('%.0f', remembered),
  string.format('%.0f', from), reset, replaced, stored[3] or '', stored[4] or (state.complete == '1' and '0' or '-1'),
  isLive and 0 or 1,
  leasedTo > now and 0 or 1}
