-- For the script that accepts sends; include groups, shard-slots, inbox-state and inbox-payloads first. The short way
-- of direct messages (docs/design/short-way.md): into both inboxes in the step that accepts them, and past the fanout.
-- Only where an append needs nothing but an entry and the user's fields. All else is left to the fanout.
--
-- `shortWay`: what the caller says about it, nil = nothing goes this way: `most` entries of an inbox, and the number of
-- the `partition`.
local shortWay

local function openInbox(userKey, base, user, field)
  local stored = readUser(userKey, field)
  local first = firstGateway(stored[4])
  local slot = slotOf(base, first)
  if not slot.isOpen or stored[1] ~= slot.line then return nil end
  local inbox = {base = base, key = userKey, user = user, stream = base .. 'inbox:' .. user, field = field,
    head = tonumber(stored[2] or 0), count = tonumber(stored[3] or 0), isWaiting = stored[6],
    last = 0, read = '0', since = '0', newest = '0', place = '0', held = 0}
  if stored[5] then
    local last, status, held
    last, inbox.read, inbox.since, inbox.newest, inbox.place, status, held = readState(stored[5])
    if status ~= 'm' then return nil end
    inbox.last, inbox.held = tonumber(last), tonumber(held) or 0
  end
  inbox.gateways = liveGateways(slot, stored[4], first)
  return inbox
end

-- The inboxes of a direct conversation's two users, nil if one of them is left to the fanout. `shards`: the beginnings
-- of the keys of their shards.
local function openInboxes(id, users, shards)
  local comma, space, field = find(users, ',', 1, true), find(shards, ' ', 1, true), 'c:' .. id
  local one, other = sub(users, 1, comma - 1), sub(users, comma + 1)
  local base, otherBase = sub(shards, 1, space - 1), sub(shards, space + 1)
  local first = openInbox(base .. 'user:' .. one, base, one, field)
  local second = first and openInbox(otherBase .. 'user:' .. other, otherBase, other, field)
  return second and {first, second}
end

-- Whether an inbox is exactly up to the seq before, and nothing has to be cut or noted beside this append.
local function takes(inbox, before)
  if inbox.last ~= before or inbox.count >= shortWay.most + math.floor(shortWay.most / 50) then return false end
  if inbox.held + 1 <= shortWay.most / 4 then return true end
  if inbox.isLoud == nil then
    local loud = call('HGET', inbox.key, 'loud') or ''
    inbox.isLoud = find(loud, ' ' .. sub(inbox.field, 3) .. ' ', 1, true) ~= nil
  end
  return inbox.isLoud
end

local function appendShort(inbox, message, seq, at, sender, device, text)
  local position, isSent = format('%d', inbox.head + 1), inbox.user == sender
  call('XADD', inbox.stream, position .. '-0', isSent and device ~= '*' and '1 ' .. device or '1', text)
  inbox.head, inbox.count, inbox.held, inbox.last = inbox.head + 1, inbox.count + 1, inbox.held + 1, tonumber(seq)
  inbox.newest, inbox.place, inbox.isChanged = at, position, true
  if isSent then
    if inbox.last > tonumber(inbox.read) then inbox.read = seq end
  elseif not inbox.arrived then inbox.arrived = inbox.head end
  if inbox.gateways == '-' then return end
  for gateway in string.gmatch(inbox.gateways, '[^,]+') do
    deliver(gateway, message, sender, device, text, inbox.user, position)
  end
end

-- `message` names it among those of this call. The others are as in the entry and in its id, see message-text.ts.
local function intoInboxes(inboxes, message, id, streamId, late, seq, origin, tail)
  local at = late ~= '' and sub(late, 2) or sub(streamId, 1, find(streamId, '-', 1, true) - 1)
  local text = '{"id":"' .. shortWay.partition .. '-' .. streamId .. '","conversation":"' .. id .. '","seq":' .. seq
    .. ',"at":' .. at .. ',' .. tail
  local sender, device = string.match(origin, '^(%S+) (%S+)')
  for _, inbox in ipairs(inboxes) do appendShort(inbox, message, seq, at, sender, device, text) end
end

-- Writes what the appends have changed. Pushes are published at the end of the call.
local function closeInboxes(inboxes)
  for _, inbox in ipairs(inboxes) do
    if inbox.isChanged then
      inbox.isChanged = false
      writeUser(inbox.key, inbox.field, inbox.place, inbox.count, format('%d', inbox.last), inbox.read, inbox.since,
        inbox.newest, inbox.place, 'm', inbox.held)
    end
    if inbox.arrived and notifyAfter > 0 and not inbox.isWaiting then
      noteArrived(inbox.base, inbox.key, inbox.user, inbox.arrived)
      inbox.isWaiting = true
    end
  end
end

-- Whether the group `inbox` has been given every entry of the stream. Only then it may be moved past what comes next.
local function isGroupAtEnd(messages)
  local last = lastDelivered(messages)['inbox']
  return last ~= nil and not call('XREAD', 'COUNT', 1, 'STREAMS', messages, last)
end

-- Moves the group `inbox` past `entries` entries up to `last`: the fanout has nothing to do with them.
local function passGroup(messages, slot, last, entries)
  call('XGROUP', 'SETID', messages, 'inbox', last)
  call('HINCRBY', slot, 'settled:inbox', format('%d', entries))
end
