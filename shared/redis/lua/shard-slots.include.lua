-- For scripts that take users of several shards; include slot-open first. The slots of the shards that a call touches,
-- and the gateways there that are alive. Each slot is read once for a call, with the lease of the gateway that is asked
-- for first.
local call, find, sub, format = redis.call, string.find, string.sub, string.format
local slots, now = {}, nil

-- The slot of a shard, with the lease of a gateway that is asked for soon (nil = none).
local function slotOf(base, gateway)
  local slot = slots[base]
  if not slot then
    local found
    slot = {key = base .. 'slot', leases = {}, isLive = {}}
    if gateway then
      found = call('HMGET', slot.key, 'open', 'line', 'gateway:' .. gateway)
      slot.leases[gateway] = found[3]
    else
      found = call('HMGET', slot.key, 'open', 'line')
    end
    slot.isOpen, slot.line = isOpen(found[1]), found[2]
    slots[base] = slot
  end
  return slot
end

local function clock()
  if not now then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return now
end

local function isLive(slot, gateway)
  local known = slot.isLive[gateway]
  if known == nil then
    local lease = slot.leases[gateway]
    if lease == nil then lease = call('HGET', slot.key, 'gateway:' .. gateway) end
    known = tonumber(lease or 0) > clock()
    slot.isLive[gateway] = known
  end
  return known
end

-- The gateway of a user's first route, nil without routes.
local function firstGateway(routes)
  return routes and routes ~= '' and sub(routes, 1, find(routes, ' ', 1, true) - 1) or nil
end

local function liveGateways(slot, routes, first)
  if not first then return '-' end
  if not find(routes, ';', 1, true) then return isLive(slot, first) and first or '-' end
  local list = '-'
  for gateway in string.gmatch(routes, '([^ ;]+) [^;]+') do
    if isLive(slot, gateway) and not find(',' .. list .. ',', ',' .. gateway .. ',', 1, true) then
      list = list == '-' and gateway or list .. ',' .. gateway
    end
  end
  return list
end
