-- @include gap-records
-- @include overlays
-- @include inbox-cut
-- @include inbox-line
-- @include quiet-seqs
-- @include slot-open
-- After a loss: gives a user the conversations that history knows and its keys do not. Each span of its membership is
-- announced as a gap, so that every device learns what it may have missed. They count as read, because read seqs live
-- in Redis alone.
--
-- An amendment that only history knows is laid over nothing in the inbox. So where history's newest amendment is above
-- what the inbox knew before the loss, the conversation's entries are cut into gaps: history has them as they read now.
-- A user's field `k:<conversation>` is the last seq before the first ones that were passed over since the loss
-- (append-inbox.lua).
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
--   4  gaps
--   5  gaps by last position
--   6  gaps by first position
--   7  inbox
--   8  overlays
-- ARGV
--   1  jump after a loss
--   2  done (1 = these are the last ones)
--   3  epoch that the caller knew before it read history
--   4… six per conversation: conversation, the user's spans, last seq of the conversation, status (m|l),
--      seqs that do not count as unread (quiet-seqs.include.lua), seq of its newest amendment (0 = none). The last
--      seq was read before the newest amendment: it is never known without it.
-- Replies:
--   closed | installed
--   outdated    another epoch has begun since the caller read history: more may be stored. Nothing was done
-- Safe to repeat and to race.
--
-- A message may have been appended since the loss, before this. Then the user's keys know its span alone, from the
-- beginning on; earlier spans are announced all the same, unless they have been already.
local slot, user, devices = KEYS[1], KEYS[2], KEYS[3]
local gaps = {records = KEYS[4], byLast = KEYS[5], byFirst = KEYS[6]}
local meta = redis.call('HMGET', slot, 'line', 'complete', 'generation', 'open', 'loads', 'epoch')
local state = {line = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
if not isOpen(meta[4]) then return 'closed' end
if meta[6] ~= ARGV[3] then return 'outdated' end
enterLine(state, user, devices, tonumber(ARGV[1]))
local head = tonumber(redis.call('HGET', user, 'head') or 0)

local function isAnnounced(conversation, from, to)
  for _, record in ipairs(readRecords(redis.call('HGET', gaps.records, conversation))) do
    if record[1] <= from and to <= record[2] then return true end
  end
  return false
end

-- Cuts all entries of these conversations.
local function cutAmended(conversations)
  local from = '-'
  while true do
    local entries, chosen = redis.call('XRANGE', KEYS[7], from, '+', 'COUNT', 200), {}
    for _, entry in ipairs(entries) do
      local _, conversation = messageField(entry[2][2])
      if conversations[conversation] then chosen[#chosen + 1] = entry end
    end
    cutEntries(KEYS[7], user, gaps, KEYS[8], chosen)
    if #entries < 200 then return end
    from = '(' .. entries[200][1]
  end
end

local amended
-- A shard that lost nothing has announced earlier spans when they ended.
local hasLost = meta[5] and meta[5] == state.line
for i = 4, #ARGV, 6 do
  local conversation, lastSeq = ARGV[i], tonumber(ARGV[i + 2])
  local stored = redis.call('HGET', user, 'c:' .. conversation)
  local known, read, knownFrom, at = 0, nil, 0, '0'
  if stored then
    known, read, knownFrom, at = string.match(stored, '^(%d+) (%d+) (%d+) (%d+) ')
    known, read, knownFrom = tonumber(known), tonumber(read), tonumber(knownFrom)
  end
  local before = redis.call('HGET', user, 'k:' .. conversation)
  -- Older versions note a 0 too, which says nothing: there was no entry below the gap.
  local upTo = before and before ~= '0' and math.min(known, tonumber(before)) or known
  if known > 0 and tonumber(ARGV[i + 5]) > upTo then
    amended = amended or {}
    amended[conversation] = true
  end
  if before then redis.call('HDEL', user, 'k:' .. conversation) end
  local joined, last = 0, lastSeq
  for from, to in string.gmatch(ARGV[i + 1], '(%d+)%-(%d*)') do
    joined, last = tonumber(from), tonumber(to) or lastSeq
    local seen = math.max(joined, known)
    if hasLost and last <= knownFrom and last > joined and not isAnnounced(conversation, joined + 1, last) then
      seen = joined
    end
    if last > seen then
      head = head + 1
      addGap(gaps, conversation, seen + 1, last, head, head)
    end
  end
  read = math.max(read or last, joined)
  if ARGV[i + 4] ~= '' then noteQuiet(user, conversation, ARGV[i + 4], read) end
  -- The keys stay if they know at least as much: they may be ahead of history.
  if not stored or last > known then
    redis.call('HSET', user, 'c:' .. conversation,
      string.format('%.0f %.0f %.0f %s 0 %s', last, read, joined, at, ARGV[i + 3]))
  end
end
redis.call('HSET', user, 'head', string.format('%.0f', head))
if amended then cutAmended(amended) end
if ARGV[2] == '1' and meta[5] then redis.call('HSET', user, 'loaded', meta[5]) end
return 'installed'
