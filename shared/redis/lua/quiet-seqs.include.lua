-- For scripts that note seqs which do not count as unread: those that a loss of Redis skipped, amendments, and messages
-- that were recalled.
--
-- A user's field `q:<conversation>` holds ranges "<fromSeq>-<toSeq>", joined by commas, at most 64; beyond that the
-- oldest are dropped. Ranges at or below the read seq are left out: nothing counts there. Ranges may overlap; readers
-- count each seq once (unread.ts). What follows the last range directly extends it.
local mostQuietRanges = 64

-- Adds ranges (a text as above), and drops what lies at or below the read seq.
local function noteQuiet(user, conversation, added, read)
  local field = 'q:' .. conversation
  local stored = redis.call('HGET', user, field)
  local ranges, known = {}, {}
  for range, from, to in string.gmatch((stored or '') .. ',' .. added, '((%d+)%-(%d+))') do
    local last = ranges[#ranges]
    local first, upTo = string.match(last or '', '^(%d+)%-(%d+)$')
    if tonumber(to) > read and not known[range] then
      known[range] = true
      if upTo and tonumber(from) == tonumber(upTo) + 1 then
        ranges[#ranges] = first .. '-' .. to
      else
        ranges[#ranges + 1] = range
      end
    end
  end
  while #ranges > mostQuietRanges do table.remove(ranges, 1) end
  if #ranges > 0 then
    redis.call('HSET', user, field, table.concat(ranges, ','))
  elseif stored then
    redis.call('HDEL', user, field)
  end
end
