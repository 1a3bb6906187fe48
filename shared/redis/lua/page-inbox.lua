-- @include inbox-cut
-- @include inbox-epoch
-- Reads one page of an inbox. What has expired is cut in the same step, so that it is seen as a gap and never as an item.
--
-- KEYS[1] slot of the shard   KEYS[2] user   KEYS[3] inbox   KEYS[4] gaps   KEYS[5] devices
-- ARGV[1] after   ARGV[2] most items   ARGV[3] most bytes (one item comes whatever its size)   ARGV[4] epoch asked for ('' = any)
-- ARGV[5] retention of normal messages (ms)   ARGV[6] of important ones   ARGV[7] jump after a loss
-- ARGV[8] device whose position is `after` when that is ''
-- Replies: {closed} | {load} (after a loss: the user's conversations must come from history first) | {resync, epoch} | {above, head} |
--   {page, epoch, head, next, more 0|1, {position, device that sent it if it is the user's own or '', text, …}, {position, conversation, fromSeq, toSeq, …},
--    large groups of the user, with spaces around each}
--   items and gaps each in rising order of position
-- Safe to repeat.
local slot, user, inbox, gaps, devices = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local mostItems, mostBytes, asked = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
-- What a page's bytes have room for. A smaller number of items asked for does not make it smaller: gaps before an item come with it.
local mostGaps = 200
local keepNormal, keepImportant, jump = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local meta = redis.call('HMGET', slot, 'epoch', 'complete', 'generation')
local state = {epoch = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
if not state.epoch then return {'closed'} end
if asked ~= '' and asked ~= state.epoch then return {'resync', state.epoch} end
local found = redis.call('HMGET', user, 'epoch', 'head', 'loaded', 'expired', 'larges')
if state.complete ~= '1' and found[3] ~= state.epoch then return {'load'} end
if found[1] and found[1] ~= state.epoch then
  enterEpoch(state, user, devices, jump)
  found = redis.call('HMGET', user, 'epoch', 'head', 'loaded', 'expired', 'larges')
end
local head = tonumber(found[2] or 0)
local after
if ARGV[1] == '' then
  after = tonumber(string.match(redis.call('HGET', devices, ARGV[8]) or '0', '^%d+'))
else
  after = tonumber(ARGV[1])
end
if after > head then return {'above', string.format('%.0f', head)} end

-- Expiry. Up to position `expired` only important messages are left; they go first, then everything above that is too old.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expired = tonumber(found[4] or 0)
local function cutOld(from, to)
  while true do
    local old, stop = {}, false
    local range = redis.call('XRANGE', inbox, from, to, 'COUNT', 100)
    for _, entry in ipairs(range) do
      local text = entry[2][2]
      local age = now - tonumber(string.match(text, '^{"id":"[^"]+","conversation":"[^"]+","seq":%d+,"at":(%d+)'))
      local important = string.sub(text, -20) == '"class":"important"}'
      if age > (important and keepImportant or keepNormal) then
        old[#old + 1] = entry
      elseif not important or age <= keepNormal then
        stop = true
        break
      end
      expired = math.max(expired, tonumber(string.match(entry[1], '^%d+')))
    end
    cutEntries(inbox, user, gaps, old)
    if stop or #range < 100 then return end
    from = '(' .. range[#range][1]
  end
end
local before = expired
if before > 0 then cutOld('-', string.format('%.0f-0', before)) end
cutOld(string.format('(%.0f-0', before), '+')
if expired > before then redis.call('HSET', user, 'expired', string.format('%.0f', expired)) end

local items, bytes, more = {}, 0, 0
local last = after
for _, entry in ipairs(redis.call('XRANGE', inbox, string.format('(%.0f-0', after), '+', 'COUNT', mostItems + 1)) do
  local text = entry[2][2]
  bytes = bytes + #text
  if #items > 0 and (#items >= mostItems * 3 or bytes > mostBytes) then
    more = 1
    break
  end
  local position = string.match(entry[1], '^%d+')
  items[#items + 1] = position
  items[#items + 1] = string.sub(entry[2][1], 3)
  items[#items + 1] = text
  last = tonumber(position)
end

-- Gap records that reach beyond `after`. With items in the page none stands beyond the last of them: a record that reaches
-- further is reported there and comes again with the next page.
local records, trailing = {}, false
local stored = redis.call('HGETALL', gaps)
for i = 1, #stored, 2 do
  for a, b, c, d in string.gmatch(stored[i + 1], '(%d+):(%d+):(%d+):(%d+)') do
    local first, final = tonumber(c), tonumber(d)
    if final > after then
      if #items > 0 and final > last then trailing = true end
      if #items == 0 or first <= last then
        records[#records + 1] = {#items > 0 and math.min(final, last) or final, stored[i], a, b}
      end
    end
  end
end
table.sort(records, function(one, other) return one[1] < other[1] or (one[1] == other[1] and one[2] < other[2]) end)
if trailing then more = 1 end
local reach = more == 1 and last or head
if #records > mostGaps then
  more, reach = 1, records[mostGaps][1]
  while #items > 0 and tonumber(items[#items - 2]) > reach do
    for _ = 1, 3 do items[#items] = nil end
  end
  if #items > 0 then reach = tonumber(items[#items - 2]) end
  while records[#records] and records[#records][1] > reach do records[#records] = nil end
end
local flat = {}
for _, record in ipairs(records) do
  flat[#flat + 1] = string.format('%.0f', record[1])
  flat[#flat + 1], flat[#flat + 2], flat[#flat + 3] = record[2], record[3], record[4]
end
return {'page', state.epoch, string.format('%.0f', head), string.format('%.0f', reach), more, items, flat, found[5] or ''}
