-- Included where inboxes are cut. A cut entry never just disappears: its seq goes into a gap record of its conversation.
--
-- Gap records, one hash field a conversation: "<fromSeq>:<toSeq>:<firstPosition>:<lastPosition>;…" in rising order, at most 8;
-- beyond that the two oldest are merged, also over seqs that are still in the inbox.
local mostGapRecords = 8

local function whole(number) return string.format('%.0f', number) end

--
-- `apart`: it stays a record of its own although it is adjacent to another: a device that has settled the other one is not told of it again.
local function addGap(gaps, conversation, fromSeq, toSeq, firstPosition, lastPosition, apart)
  local records = {}
  local stored = redis.call('HGET', gaps, conversation)
  if stored then
    for a, b, c, d in string.gmatch(stored, '(%d+):(%d+):(%d+):(%d+)') do
      records[#records + 1] = {tonumber(a), tonumber(b), tonumber(c), tonumber(d)}
    end
  end
  local last = records[#records]
  if last and not apart and fromSeq <= last[2] + 1 and toSeq >= last[1] - 1 then
    last[1], last[2] = math.min(last[1], fromSeq), math.max(last[2], toSeq)
    last[3], last[4] = math.min(last[3], firstPosition), math.max(last[4], lastPosition)
  else
    records[#records + 1] = {fromSeq, toSeq, firstPosition, lastPosition}
    table.sort(records, function(one, other) return one[1] < other[1] end)
  end
  while #records > mostGapRecords do
    local oldest = table.remove(records, 1)
    records[1][1] = oldest[1]
    records[1][2] = math.max(records[1][2], oldest[2])
    records[1][3] = math.min(records[1][3], oldest[3])
    records[1][4] = math.max(records[1][4], oldest[4])
  end
  local parts = {}
  for i, record in ipairs(records) do
    parts[i] = whole(record[1]) .. ':' .. whole(record[2]) .. ':' .. whole(record[3]) .. ':' .. whole(record[4])
  end
  redis.call('HSET', gaps, conversation, table.concat(parts, ';'))
end

-- A conversation holds so many entries less than before.
local function release(user, conversation, entries)
  local field = 'c:' .. conversation
  local state, held = string.match(redis.call('HGET', user, field) or '', '^(.* %a) (%d+)$')
  if state then redis.call('HSET', user, field, state .. ' ' .. whole(math.max(0, tonumber(held) - entries))) end
end

-- Cuts entries as XRANGE answers them.
local function cutEntries(inbox, user, gaps, entries)
  if #entries == 0 then return end
  local ids, cut = {}, {}
  for i, entry in ipairs(entries) do
    local position = tonumber(string.match(entry[1], '^%d+'))
    local conversation, seq = string.match(entry[2][2], '^{"id":"[^"]+","conversation":"([^"]+)","seq":(%d+),')
    addGap(gaps, conversation, tonumber(seq), tonumber(seq), position, position)
    ids[i] = entry[1]
    cut[conversation] = (cut[conversation] or 0) + 1
  end
  redis.call('XDEL', inbox, unpack(ids))
  if redis.call('XLEN', inbox) == 0 then redis.call('DEL', inbox) end
  redis.call('HINCRBY', user, 'count', -#ids)
  for conversation, entries in pairs(cut) do release(user, conversation, entries) end
end

-- Cuts so many entries of an inbox that is too full, in fairness: of the conversation that holds most, if that is more than a quarter of
-- what the inbox may hold, its oldest; else the oldest of all. So a noisy conversation pushes itself out and not the quiet ones.
local scanned = 2000
local function cutFairly(inbox, user, gaps, entries, most)
  local loudest, held = nil, math.floor(most / 4)
  local fields = redis.call('HGETALL', user)
  for i = 1, #fields, 2 do
    local conversation = string.match(fields[i], '^c:(.+)$')
    local holds = conversation and tonumber(string.match(fields[i + 1], ' %a (%d+)$') or 0)
    if conversation and holds > held then loudest, held = conversation, holds end
  end
  local chosen = {}
  if loudest then
    local mark = '","conversation":"' .. loudest .. '","seq":'
    local from, seen = '-', 0
    while #chosen < entries and seen < scanned do
      local page = redis.call('XRANGE', inbox, from, '+', 'COUNT', 200)
      for _, entry in ipairs(page) do
        if #chosen < entries and string.find(string.sub(entry[2][2], 1, 200), mark, 1, true) then chosen[#chosen + 1] = entry end
      end
      seen = seen + #page
      if #page < 200 then break end
      from = '(' .. page[#page][1]
    end
  end
  cutEntries(inbox, user, gaps, #chosen > 0 and chosen or redis.call('XRANGE', inbox, '-', '+', 'COUNT', entries))
end
