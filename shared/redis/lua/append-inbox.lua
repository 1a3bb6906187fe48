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
-- ARGV[1] most entries of an inbox   ARGV[2] jump after a loss   ARGV[3] number of texts   ARGV[4..] texts, then for each user:
--   conversations' number of entries n, then n times: text index (0 = none), conversation, seq, prev, joined, role
--   role: `member` | `sender` (its read seq moves to seq) | `joins` | `leaves` | `listed` (no message: the conversation appears
--         in the user's list; seq is its time in ms) | `forced` (a hole that nothing can fill becomes a gap)
-- Replies one for each user: `closed`, or words: head before, gateways (comma-joined, `-` for none), then for each entry
--   its position | `-` skipped | `conflict` | `hole`
-- Safe to repeat: what is stored is skipped.
local most, jump, texts = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local cursor = 3 + texts
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

-- One entry for one user. `conversations` caches the states read and changed in this call.
local function appendOne(found, conversations, inbox, user, gaps, textIndex, conversation, seq, prev, joined, role)
  local state = conversations[conversation]
  if not state then
    local stored = redis.call('HGET', user, 'c:' .. conversation)
    if stored then
      local last, read, since, at, position, status = string.match(stored, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a)$')
      state = {last = tonumber(last), read = tonumber(read), joined = tonumber(since), at = at, position = position, status = status}
    else
      state = {last = 0, read = joined, joined = joined, at = '0', position = '0', status = 'm'}
    end
    conversations[conversation] = state
  end
  if role == 'listed' then
    if state.at == '0' then
      state.at, state.changed = string.format('%.0f', seq), true
    end
    return '-'
  end
  if state.hole then return 'hole' end
  local last = math.max(state.last, joined)
  local text = ARGV[3 + textIndex]
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
  redis.call('XADD', inbox, position .. '-0', '1', text)
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
    local stored = redis.call('HMGET', user, 'head', 'count', 'epoch', 'routes')
    if stored[3] ~= state.epoch then
      enterEpoch(state, user, devices, jump)
      stored = redis.call('HMGET', user, 'head', 'count', 'epoch', 'routes')
    end
    local found = {head = tonumber(stored[1] or 0), added = 0}
    local conversations, words = {}, {string.format('%.0f', found.head), liveGateways(state, stored[4])}
    for i = 1, entries do
      words[i + 2] = appendOne(found, conversations, inbox, user, gaps, tonumber(ARGV[cursor + 1]), ARGV[cursor + 2],
        tonumber(ARGV[cursor + 3]), tonumber(ARGV[cursor + 4]), tonumber(ARGV[cursor + 5]), ARGV[cursor + 6])
      cursor = cursor + 6
    end
    local count = tonumber(stored[2] or 0) + found.added
    local changes = {'head', string.format('%.0f', found.head), 'count', count}
    for conversation, one in pairs(conversations) do
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
