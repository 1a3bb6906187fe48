-- @include groups
-- @include slot-open
-- Reads what Redis holds of a conversation: its state, its entries that the group `history` has not settled, and cached
-- recent messages that a page asks for (keep-recent.lua).
-- Read history after this call: messages archived in between are then found there. In the other order they would be
-- found nowhere.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  recent
-- ARGV
--   1  conversation
--   2  user whose spans are wanted
--   3  maximum stream entries to search for unsettled ones (0 = they are not wanted)
--   4  maximum recent texts (0 = none)
--   5  only texts before this seq ('' = from the end)
--   6  only texts after this seq ('' = the newest)
--   7  how long the recent texts stay from now (ms)
-- Replies:
--   {closed} | {load} | {not_found}
--   {behind}  there are more unsettled entries than the maximum
--   {found, seq, version, kind, name, createdAt, service, users, count, skips, spans of the user, entries, historyDays,
--    recent, seq of the newest amendment (0 = none), creator ('' = none),
--    of a large group the seqs that do not count as unread (quiet-seqs.include.lua)}
--      entries  messages and amendments: {id, routing, rest, time ('' = the id's), new body ('' = of a message), …}
--      recent   {} | {low, high, bytes, first seq, text, …}
-- Writes nothing but the expiry of the recent texts.
local slot, messages, conversation, members, recent = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, user, most = ARGV[1], ARGV[2], tonumber(ARGV[3])

local state = redis.call('HMGET', slot, 'line', 'complete', 'open')
local line = state[1]
if not isOpen(state[3]) then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'version', 'kind', 'name', 'createdAt',
  'service', 'users', 'count', 'skips', 'historyDays', 'amendSeq', 'creator', 'quiet')
if found[1] ~= line then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end

local entries, settledTo = {}, tonumber(found[2])
if most > 0 then
  local start
  local pending = redis.call('XPENDING', messages, 'history')
  if pending[1] > 0 then
    start = pending[2]
  else
    start = '(' .. lastDelivered(messages)['history']
  end
  local unsettled = redis.call('XRANGE', messages, start, '+', 'COUNT', most + 1)
  if #unsettled > most then return {'behind'} end
  local mark = '^1 (%a+) ' .. string.gsub(id, '%-', '%%-') .. ' (%d+) '
  for _, entry in ipairs(unsettled) do
    local fields = entry[2]
    local word, seq = string.match(fields[2], mark)
    if word == 'message' or word == 'amended' then
      if #entries == 0 then settledTo = tonumber(seq) - 1 end
      entries[#entries + 1] = entry[1]
      entries[#entries + 1] = fields[2]
      entries[#entries + 1] = fields[4]
      entries[#entries + 1] = fields[5] == 'a' and fields[6] or ''
      local body = ''
      if word == 'amended' then
        for i = 5, #fields, 2 do
          if fields[i] == 'b' then body = fields[i + 1] end
        end
      end
      entries[#entries + 1] = body
    end
  end
end

local spans = user ~= '' and redis.call('HGET', members, user) or ''

local kept = {}
local wanted, before, after, stayMs = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if wanted > 0 then
  local held = redis.call('HMGET', recent, 'epoch', 'low', 'high', 'bytes', 'amended')
  -- Texts that do not reflect the newest amendment are of no use: one of them may be amended.
  if held[1] == line and (held[5] or '0') == (found[12] or '0') then
    -- Not with every read, because each is a write to the append-only file. pcall: if Redis takes no writes, it still
    -- reads.
    if redis.call('PTTL', recent) < stayMs * 0.9 then redis.pcall('PEXPIRE', recent, stayMs) end
    local last = math.min(tonumber(found[2]), tonumber(string.match(spans, '%-(%d+)$') or found[2]))
    local from, to
    if after then
      from, to = after + 1, after + wanted
    else
      to = math.min(last, (before or last + 1) - 1)
      from = to - wanted + 1
    end
    from = math.max(from, tonumber(held[2]))
    to = math.min(to, last, tonumber(held[3]), settledTo)
    local seqs = {}
    for seq = from, to do seqs[#seqs + 1] = string.format('%.0f', seq) end
    kept = #seqs > 0 and redis.call('HMGET', recent, unpack(seqs)) or {}
    table.insert(kept, 1, string.format('%.0f', from))
    for i = 4, 2, -1 do table.insert(kept, 1, held[i]) end
  end
end
return {'found', found[2], found[3], found[4], found[5] or '', found[6], found[7], found[8] or '',
  found[9] or '2', found[10] or '', spans, entries, found[11] or '', kept, found[12] or '0', found[13] or '',
  found[14] or ''}
