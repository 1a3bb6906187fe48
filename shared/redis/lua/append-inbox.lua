-- @include inbox-cut
-- @include inbox-epoch
-- Appends messages to inboxes: compare-and-append for each (user, conversation), in the order given, and says which gateways
-- hold the user. A user's part of a batch is always in one call.
--
-- With last = max(last seq stored for the user, seq before the first it may see):
--   last > seq: skip · last = seq: skip if the id is the same, else conflict · last >= prev: append, with a gap
--   [last+1 .. seq-1] recorded first if that is not empty · else hole: nothing is appended for this conversation any more.
-- This holds with two owners and without any lease (checked with an explicit-state model).
--
-- KEYS five for each user: slot of the shard, user, inbox, gaps, devices
-- ARGV[1] most entries of an inbox   ARGV[2] jump after a loss   ARGV[3] what push channels begin with ('' = the caller publishes)
-- ARGV[4] number of texts   ARGV[5..] two for each text: "<sender> <device>", text; then for each user:
--   number of entries n, then n times: text index (0 = none), conversation, seq, prev, joined, role
--   role: `member` | `sender` (its read seq moves to seq) | `joins` | `leaves` | `listed` (no message: the conversation appears
--         in the user's list; seq is its time in ms) | `forced` (a hole that nothing can fill becomes a gap)
-- An inbox entry has one field: named `1`, its format, with the device behind it if it is one of this user's own; its value
-- is the text.
-- Replies one for each user: `closed`, or words: head before, gateways (comma-joined, `-` for none), then for each entry
--   its position | `-` skipped | `conflict` | `hole`
-- Safe to repeat: what is stored is skipped.
local most, jump, channel, texts = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local cursor = 4 + 2 * texts
local slots, replies = {}, {}
local now

local function slotState(key)
  local state = slots[key]
  if state then return state end
  local flat = redis.call('HGETALL', key)
  state = {gateways = {}}
  for i = 1, #flat, 2 do
    local gateway = string.match(flat[i], '^gateway:(.+)')
    if gateway then state.gateways[gateway] = tonumber(flat[i + 1]) else state[flat[i]] = flat[i + 1] end
  end
  state.generation = tonumber(state.generation or 0)
  slots[key] = state
  return state
end

local function liveGateways(state, routes)
  if not routes or routes == '' then return '-' end
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local seen, list = {}, {}
  for gateway in string.gmatch(routes, '([^ ;]+) [^;]+') do
    if not seen[gateway] and (state.gateways[gateway] or 0) > now then
      seen[gateway] = true
      list[#list + 1] = gateway
    end
  end
  return #list > 0 and table.concat(list, ',') or '-'
end

local function conversationState(stored, joined)
  if not stored then return {last = 0, read = joined, joined = joined, at = '0', position = '0', status = 'm'} end
  local last, read, since, at, position, status = string.match(stored, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a)$')
  return {last = tonumber(last), read = tonumber(read), joined = tonumber(since), at = at, position = position, status = status}
end

-- One entry for one user.
local function appendOne(found, state, inbox, gaps, textIndex, conversation, seq, prev, joined, role)
  if role == 'listed' then
    if state.at == '0' then
      state.at, state.changed = string.format('%.0f', seq), true
    end
    return '-'
  end
  if state.hole then return 'hole' end
  local last = math.max(state.last, joined)
  local text = ARGV[4 + 2 * textIndex]
  if last > seq then return '-' end
  if last == seq and state.last == seq then
    local stored = redis.call('XRANGE', inbox, state.position .. '-0', state.position .. '-0')
    if stored[1] and string.match(stored[1][2][2], '^{"id":"[^"]+"') ~= string.match(text, '^{"id":"[^"]+"') then return 'conflict' end
    return '-'
  end
  if last < prev and role ~= 'forced' then
    state.hole = true
    return 'hole'
  end
  if last + 1 < seq then
    found.head = found.head + 1
    addGap(gaps, conversation, last + 1, seq - 1, found.head, found.head)
  end
  found.head = found.head + 1
  found.added = found.added + 1
  local position = string.format('%.0f', found.head)
  local sender, device = string.match(ARGV[3 + 2 * textIndex], '^([^ ]+) (.+)$')
  redis.call('XADD', inbox, position .. '-0', sender == found.name and device ~= '-' and '1 ' .. device or '1', text)
  if joined > state.joined then state.joined, state.read = joined, math.max(state.read, joined) end
  state.last, state.position, state.at, state.changed = seq, position, string.match(text, '"at":(%d+)'), true
  if role == 'sender' then state.read = math.max(state.read, seq) end
  if role == 'leaves' then state.status = 'l' else state.status = 'm' end
  return position
end

for u = 0, #KEYS / 5 - 1 do
  local slot, user, inbox, gaps, devices = KEYS[u * 5 + 1], KEYS[u * 5 + 2], KEYS[u * 5 + 3], KEYS[u * 5 + 4], KEYS[u * 5 + 5]
  local entries = tonumber(ARGV[cursor + 1])
  cursor = cursor + 1
  local state = slotState(slot)
  if not state.epoch then
    replies[u + 1] = 'closed'
    cursor = cursor + entries * 6
  else
    -- One read for the user and all its conversations of this call.
    local fields, conversations, order = {'head', 'count', 'epoch', 'routes'}, {}, {}
    for i = 0, entries - 1 do
      local conversation = ARGV[cursor + i * 6 + 2]
      if not conversations[conversation] then
        conversations[conversation] = true
        order[#order + 1] = conversation
        fields[#fields + 1] = 'c:' .. conversation
      end
    end
    local stored = redis.call('HMGET', user, unpack(fields))
    if stored[3] ~= state.epoch then
      enterEpoch(state, user, devices, jump)
      stored = redis.call('HMGET', user, unpack(fields))
    end
    for i, conversation in ipairs(order) do conversations[conversation] = stored[4 + i] or '' end

    local found = {head = tonumber(stored[1] or 0), added = 0, name = string.match(user, '[^:]+$')}
    local gateways = liveGateways(state, stored[4])
    local words = {string.format('%.0f', found.head), gateways}
    for i = 1, entries do
      local textIndex, conversation, joined = tonumber(ARGV[cursor + 1]), ARGV[cursor + 2], tonumber(ARGV[cursor + 5])
      local one = conversations[conversation]
      if type(one) == 'string' then
        one = conversationState(one ~= '' and one, joined)
        conversations[conversation] = one
      end
      local outcome = appendOne(found, one, inbox, gaps, textIndex, conversation, tonumber(ARGV[cursor + 3]), tonumber(ARGV[cursor + 4]), joined, ARGV[cursor + 6])
      words[i + 2] = outcome
      if channel ~= '' and gateways ~= '-' and tonumber(outcome) then
        for gateway in string.gmatch(gateways, '[^,]+') do
          redis.call('PUBLISH', channel .. gateway, 'D\n' .. ARGV[3 + 2 * textIndex] .. ' ' .. found.name .. ':' .. outcome .. '\n' .. ARGV[4 + 2 * textIndex])
        end
      end
      cursor = cursor + 6
    end
    local count = tonumber(stored[2] or 0) + found.added
    local changes = {'head', string.format('%.0f', found.head), 'count', count}
    for _, conversation in ipairs(order) do
      local one = conversations[conversation]
      if one.changed then
        changes[#changes + 1] = 'c:' .. conversation
        changes[#changes + 1] = string.format('%.0f %.0f %.0f %s %s %s', one.last, one.read, one.joined, one.at, one.position, one.status)
      end
    end
    redis.call('HSET', user, unpack(changes))
    if count > most + math.floor(most / 50) then
      cutEntries(inbox, user, gaps, redis.call('XRANGE', inbox, '-', '+', 'COUNT', math.min(count - most, 1000)))
    end
    replies[u + 1] = table.concat(words, ' ')
  end
end
return replies
