-- @include device
-- @include gap-records
-- @include overlays
-- @include inbox-cut
-- @include inbox-line
-- @include slot-open
-- Reads one page of an inbox. Expired entries are cut in the same step, so they are seen as gaps and never as items.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  inbox
--   4  devices
--   5  gaps
--   6  gaps by last position
--   7  gaps by first position
--   8  overlays
-- ARGV
--   1  after
--   2  maximum items
--   3  maximum bytes (one item comes whatever its size)
--   4  epoch asked for ('' = any)
--   5  retention of normal messages (ms)
--   6  retention of important messages (ms)
--   7  jump after a loss
--   8  device whose position is used if `after` is ''
--   9  the caller's time (ms), by a clock that ignores a momentary jump ahead (clocks.ts)
--   10 ephemeral devices unseen for longer than this are forgotten (ms); only if `after` is ''
-- Replies:
--   {closed}
--   {load}           after a loss: the user's conversations must come from history first
--   {resync, epoch}
--   {above, head}
--   {page, epoch, head, next, more 0|1, items, gaps, large groups of the user with spaces around each,
--    overlays}
--      items  {position, name of the entry's field (append-inbox.lua), text, …}
--      gaps   {position, conversation, fromSeq, toSeq, …}
--      both in rising order of position
--      overlays  fields and values of the hash of that name in turn, at least those that concern items of the page, one
--                a line: a reader takes one text apart faster than a list
-- Safe to repeat.
local slot, user, inbox, devices = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local gaps, overlays = {records = KEYS[5], byLast = KEYS[6], byFirst = KEYS[7]}, KEYS[8]
local mostItems, mostBytes, asked = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
-- As many as a page's bytes have room for. It does not shrink with the items asked for: gaps before an item come with
-- it.
local mostGaps = 200
local keepNormal, keepImportant, jump = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

local meta = redis.call('HMGET', slot, 'line', 'complete', 'generation', 'open', 'epoch', 'loads')
local state = {line = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
local epoch, loads = meta[5], meta[6]
if not isOpen(meta[4]) then return {'closed'} end
if asked ~= '' and asked ~= epoch then return {'resync', epoch} end
local found = redis.call('HMGET', user, 'epoch', 'head', 'loaded', 'expired', 'larges')
if loads and found[3] ~= loads then return {'load'} end
if found[1] and found[1] ~= state.line then
  enterLine(state, user, devices, jump)
  found = redis.call('HMGET', user, 'epoch', 'head', 'loaded', 'expired', 'larges')
end
local head = tonumber(found[2] or 0)
local time = redis.call('TIME')
local timeMs = time[1] * 1000 + math.floor(time[2] / 1000)
local function rememberedPosition(device)
  local position, seen, words = readDevice(redis.call('HGET', devices, device) or '0 0')
  local routes = redis.call('HGET', user, 'routes') or ''
  local isForgotten = isEphemeral(words) and timeMs - tonumber(seen) > tonumber(ARGV[10])
    and not string.find(routes .. ';', ' ' .. device .. ';', 1, true)
  return isForgotten and 0 or tonumber(position)
end
local after = ARGV[1] == '' and rememberedPosition(ARGV[8]) or tonumber(ARGV[1])
if after > head then return {'above', string.format('%.0f', head)} end

-- Expiry uses the earlier of two clocks: one of them may be ahead for a moment. Up to position `expired` only important
-- messages are left. They are cut first, then everything above it that is too old.
local now = math.min(timeMs, tonumber(ARGV[9]))
local expired = tonumber(found[4] or 0)
local overlayCount, kept = redis.call('HLEN', overlays), {}
local function cutOld(from, to)
  -- Mostly the first entry is young, and nothing behind it has to be read.
  local count = 1
  while true do
    local old, stop = {}, false
    local range = redis.call('XRANGE', inbox, from, to, 'COUNT', count)
    for _, entry in ipairs(range) do
      local text = entry[2][2]
      local age = now - tonumber(string.match(text, '^{"id":"[^"]+","conversation":"[^"]+","seq":%d+,"at":(%d+)'))
      local important = string.sub(text, -20) == '"class":"important"}'
      -- By a clock that was set back, an amendment may look older than its message. It must not go before it.
      local isHeld = overlayCount > 0 and string.byte(entry[2][1]) == 50 and kept[fieldOf(entry)]
      if age > (important and keepImportant or keepNormal) and not isHeld then
        old[#old + 1] = entry
      elseif not important or age <= keepNormal then
        stop = true
        break
      elseif overlayCount > 0 then
        kept[messageField(text)] = true
      end
      expired = math.max(expired, tonumber(string.match(entry[1], '^%d+')))
    end
    cutEntries(inbox, user, gaps, overlays, old)
    if stop or #range < count then return end
    from, count = '(' .. range[#range][1], 100
  end
end
local before = expired
if before > 0 then cutOld('-', string.format('%.0f-0', before)) end
cutOld(string.format('(%.0f-0', before), '+')
if expired > before then redis.call('HSET', user, 'expired', string.format('%.0f', expired)) end

local mostUnasked, mostUnaskedBytes = 64, 32768
-- Returns overlays as the reply has them, how many bytes they add to the page, and those of each entry if there are so
-- many overlays that each entry asks for its own.
local function overlaysOf(entries)
  if overlayCount == 0 or #entries == 0 then return '', 0, nil end
  if overlayCount <= mostUnasked then
    local all = table.concat(redis.call('HGETALL', overlays), '\n')
    if #all <= mostUnaskedBytes then return all, 2 * #all, nil end
  end
  local fields, places, placeOf = {}, {}, {}
  for i, entry in ipairs(entries) do
    local field = fieldOf(entry)
    if not places[field] then
      fields[#fields + 1] = field
      places[field] = #fields
    end
    placeOf[i] = places[field]
  end
  local values, lines, sizes = redis.call('HMGET', overlays, unpack(fields)), {}, {}
  for i, field in ipairs(fields) do
    if values[i] then lines[#lines + 1], lines[#lines + 2] = field, values[i] end
  end
  for i, place in ipairs(placeOf) do sizes[i] = values[place] and #values[place] or 0 end
  return table.concat(lines, '\n'), 0, sizes
end

local entries = redis.call('XRANGE', inbox, string.format('(%.0f-0', after), '+', 'COUNT', mostItems + 1)
-- A body that is laid over goes out with its message and once more with its amendment.
local laid, bytes, laidBytes = overlaysOf(entries)
local items, count, more = {}, 0, 0
for i, entry in ipairs(entries) do
  local field = entry[2]
  bytes = bytes + #field[2] + (laidBytes and laidBytes[i] or 0)
  if count > 0 and (count >= mostItems * 3 or bytes > mostBytes) then
    more = 1
    break
  end
  items[count + 1], items[count + 2], items[count + 3] = string.sub(entry[1], 1, -3), field[1], field[2]
  count = count + 3
end
local last = count > 0 and tonumber(items[count - 2]) or after

-- Each gap is announced at its last position. If it begins within the page and reaches beyond the last item, it is also
-- announced at that item. So a device hears of it before later messages of the conversation.
completeIndex(gaps)
local flat = {}
local function tell(position, gap)
  flat[#flat + 1] = whole(position)
  flat[#flat + 1], flat[#flat + 2], flat[#flat + 3] = gap[5], gap[1], gap[2]
end
local ends = gapsBetween(gaps.byLast, after, #items > 0 and whole(last) or '+inf', mostGaps + 1)
local reach = more == 1 and last or head
if #ends > mostGaps then
  more, reach = 1, ends[mostGaps][4]
  while #items > 0 and tonumber(items[#items - 2]) > reach do
    for _ = 1, 3 do items[#items] = nil end
  end
  if #items > 0 then
    reach = tonumber(items[#items - 2])
    last = reach
  end
end
for i = 1, math.min(#ends, mostGaps) do
  if ends[i][4] <= reach then tell(ends[i][4], ends[i]) end
end
if #items > 0 then
  for _, gap in ipairs(gapsBetween(gaps.byFirst, after, whole(last), mostGaps)) do
    if gap[4] > last then tell(last, gap) end
  end
  if #gapsBetween(gaps.byLast, last, '+inf', 1) > 0 then more, reach = 1, last end
end
return {'page', epoch, string.format('%.0f', head), string.format('%.0f', reach), more, items, flat,
  found[5] or '', laid}
