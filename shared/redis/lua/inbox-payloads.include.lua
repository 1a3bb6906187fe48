-- For scripts that append to inboxes: what they push to gateways by themselves (push-bus.ts). The script sets
-- `channel`, the beginning of push channels.
--
-- By gateway the payload that is being made: its lines, by message the line with its recipients, and by user the last
-- line that names it. It is published at the end, and when it is long.
local channel, mostInPayload = '', 1000000
local payloads = {}

local function publishDeliveries(gateway)
  local payload = payloads[gateway]
  if not payload then return end
  payloads[gateway] = nil
  redis.call('PUBLISH', channel .. gateway, table.concat(payload.lines, '\n'))
end

-- Publishes all that is left.
local function publishRest()
  for gateway in pairs(payloads) do publishDeliveries(gateway) end
end

-- A message, which any number names, stands once in a payload if the positions of each user still rise in it.
local function deliver(gateway, message, sender, device, text, user, position)
  local payload = payloads[gateway]
  if not payload then
    payload = {lines = {'D'}, lineOf = {}, lastOf = {}, length = 0}
    payloads[gateway] = payload
  end
  local lines, line = payload.lines, payload.lineOf[message]
  if line and line > (payload.lastOf[user] or 0) then
    lines[line] = lines[line] .. ',' .. user .. ':' .. position
  else
    line = #lines + 1
    lines[line] = sender .. ' ' .. device .. ' ' .. user .. ':' .. position
    lines[line + 1] = text
    payload.lineOf[message], payload.length = line, payload.length + #text
  end
  payload.lastOf[user] = line
  if payload.length > mostInPayload then publishDeliveries(gateway) end
end
