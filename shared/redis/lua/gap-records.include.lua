-- For scripts that read or write gap records.
--
-- The hash `gaps` has one field per conversation: "<fromSeq>:<toSeq>:<firstPosition>:<lastPosition>;…" in rising order,
-- at most 8 records. Beyond that the two oldest are merged, even over seqs that are still in the inbox. Two sorted sets
-- find the records of a page without reading all others:
--   byLast   every record, by its last position
--   byFirst  records that span several positions, by their first position
-- Their members are "<fromSeq>:<toSeq>:<firstPosition>:<lastPosition>:<conversation>". The member `*` of byLast says
-- that both sets are complete. Inboxes of an earlier version have no sets: they are built from the hash when they are
-- first needed.
-- `gaps` below is a table {records, byLast, byFirst} of the three keys.
local mostGapRecords = 8

local function whole(number) return string.format('%.0f', number) end

local function recordText(record)
  return whole(record[1]) .. ':' .. whole(record[2]) .. ':' .. whole(record[3]) .. ':' .. whole(record[4])
end

local function readRecords(text)
  local records = {}
  for a, b, c, d in string.gmatch(text or '', '(%d+):(%d+):(%d+):(%d+)') do
    records[#records + 1] = {tonumber(a), tonumber(b), tonumber(c), tonumber(d)}
  end
  return records
end

local function indexRecord(gaps, conversation, record, text)
  local member = text .. ':' .. conversation
  redis.call('ZADD', gaps.byLast, whole(record[4]), member)
  if record[3] < record[4] then redis.call('ZADD', gaps.byFirst, whole(record[3]), member) end
end

local function completeIndex(gaps)
  if redis.call('ZSCORE', gaps.byLast, '*') then return end
  local stored = redis.call('HGETALL', gaps.records)
  if #stored == 0 then return end
  redis.call('DEL', gaps.byLast, gaps.byFirst)
  for i = 1, #stored, 2 do
    for _, record in ipairs(readRecords(stored[i + 1])) do indexRecord(gaps, stored[i], record, recordText(record)) end
  end
  redis.call('ZADD', gaps.byLast, 0, '*')
end

-- Adds records of one conversation, each {fromSeq, toSeq, firstPosition, lastPosition, apart}. `apart` keeps a record
-- separate from an adjacent one: a device that has settled the adjacent one is not told of it again.
local function addGaps(gaps, conversation, added)
  completeIndex(gaps)
  local stored = redis.call('HGET', gaps.records, conversation)
  if not stored then redis.call('ZADD', gaps.byLast, 0, '*') end
  local records = readRecords(stored)
  for _, one in ipairs(added) do
    local last = records[#records]
    if last and not one[5] and one[1] <= last[2] + 1 and one[2] >= last[1] - 1 then
      last[1], last[2] = math.min(last[1], one[1]), math.max(last[2], one[2])
      last[3], last[4] = math.min(last[3], one[3]), math.max(last[4], one[4])
    else
      records[#records + 1] = {one[1], one[2], one[3], one[4]}
      table.sort(records, function(a, b) return a[1] < b[1] end)
    end
    while #records > mostGapRecords do
      local oldest = table.remove(records, 1)
      records[1][1] = oldest[1]
      records[1][2] = math.max(records[1][2], oldest[2])
      records[1][3] = math.min(records[1][3], oldest[3])
      records[1][4] = math.max(records[1][4], oldest[4])
    end
  end
  local texts, stays = {}, {}
  for i, record in ipairs(records) do
    texts[i] = recordText(record)
    stays[texts[i]] = true
  end
  for text in string.gmatch(stored or '', '[^;]+') do
    if stays[text] then
      stays[text] = 'indexed'
    else
      redis.call('ZREM', gaps.byLast, text .. ':' .. conversation)
      redis.call('ZREM', gaps.byFirst, text .. ':' .. conversation)
    end
  end
  for i, record in ipairs(records) do
    if stays[texts[i]] ~= 'indexed' then indexRecord(gaps, conversation, record, texts[i]) end
  end
  redis.call('HSET', gaps.records, conversation, table.concat(texts, ';'))
end

local function addGap(gaps, conversation, fromSeq, toSeq, firstPosition, lastPosition, apart)
  addGaps(gaps, conversation, {{fromSeq, toSeq, firstPosition, lastPosition, apart}})
end

-- Returns at most `most` records whose position in an index lies in (above, to], in rising order. Each is
-- {fromSeq, toSeq, firstPosition, lastPosition, conversation}, with the seqs as text.
local function gapsBetween(index, above, to, most)
  local found = {}
  for i, member in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. whole(above), to, 'LIMIT', 0, most)) do
    local a, b, c, d, conversation = string.match(member, '^(%d+):(%d+):(%d+):(%d+):(.+)$')
    found[i] = {a, b, tonumber(c), tonumber(d), conversation}
  end
  return found
end
