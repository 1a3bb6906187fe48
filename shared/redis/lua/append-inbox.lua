-- @include gap-records
-- @include overlays
-- @include inbox-cut
-- @include inbox-line
-- @include lay-over
-- @include quiet-seqs
-- @include slot-open
-- Appends messages to inboxes in runs. A run is a list of messages of one conversation for one user, in rising order.
-- Each append is a compare-and-append. The reply also says which gateways hold the user.
--
-- With last = the higher of the user's last stored seq and the seq before the first one it may see:
--   last > seq     skip
--   last = seq     skip if the id is the same, otherwise conflict
--   last >= prev   append; a gap [last+1 .. seq-1] is recorded first unless it is empty
--   otherwise      hole: the rest of this run is not appended
-- This holds with two owners and without a lease (checked with an explicit-state model).
--
-- KEYS
--   one per run: user; then the fence
-- ARGV
--   1  maximum entries of an inbox
--   2  jump after a loss
--   3  beginning of push channels ('' = the caller publishes)
--   4  number of texts
--   5… four per text: sender, device or `*`, time (ms), text
--   then for each run: beginning of the shard's keys, user, conversation, number of messages,
--   and five per message: text index, seq, prev, joined, role
--      text index  0 = no text: everything up to seq becomes a gap, which gets a position of its own
--      role        `member`
--                  `sender`   its read seq moves to seq
--                  `joins`, `leaves`
--                  `listed`   no message: the conversation appears in the user's list; seq is its time in ms
--                  `forced`   a hole that nothing can fill becomes a gap
--                  `sent`     no message: it was sent to a large group, and the sender's read seq moves to seq
--                  `skipped`  no message: a loss of Redis skipped the seqs from prev to seq, which do not
--                             count as unread
--                  `quiet <target> <version> <r|e> <body>`  the text amends the message `target`. `body` is the index
--                             of the text that is the new body, 0 = the user does not see that message.
--                             ` forced` behind it: as the role of that name
--                  `over <target> <version> <r|e|w> <body>`  no message: only what the amendment `seq` lays over the
--                             message, for a user whose inbox does not get the amendment (`w`: nor does the user)
--                  A trailing `+` says that the group is large for this user from this message on; `-` that it no
--                  longer is.
--   last  ms after which the notifications look at a user that is not waiting yet and got something it did not send
--         itself (0 = never)
-- Replies: one per run: `closed`, or words: head before, gateways (comma-joined, `-` for none), then per message
--   <position>
--   -         skipped
--   conflict
--   hole
--
-- An inbox entry has one field. Its name is the format, followed by the device if this user sent it; its value is the
-- text. The format is `1`, of an amendment `2` or `2-` (overlays.include.lua). A user's field `c:<conversation>` is
-- "<last seq> <read seq> <joined> <at> <position> <m|l> <held>". `held` is the number of its entries in the inbox;
-- fields written by older versions do not have it. An amendment moves the last seq and the position, and not the time.
-- It does not count as unread, and nobody is notified of it.
-- Safe to repeat: stored messages are skipped.
local most, jump, channel, texts = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local notifyAfter = tonumber(ARGV[#ARGV])
local cursor = 4 + 4 * texts
local slots, live, now = {}, {}, nil

local function slotOf(base)
  local slot = slots[base]
  if not slot then
    local found = redis.call('HMGET', base .. 'slot', 'line', 'complete', 'generation', 'open', 'loads')
    slot = {isOpen = isOpen(found[4]), line = found[1], complete = found[2], generation = tonumber(found[3] or 0),
      loads = found[5]}
    slots[base] = slot
  end
  return slot
end

local function clock()
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return now
end

local function isLive(base, gateway)
  local known = live[base .. gateway]
  if known == nil then
    known = tonumber(redis.call('HGET', base .. 'slot', 'gateway:' .. gateway) or 0) > clock()
    live[base .. gateway] = known
  end
  return known
end

local function liveGateways(base, routes)
  if not routes or routes == '' then return '-' end
  local list = '-'
  for gateway in string.gmatch(routes, '([^ ;]+) [^;]+') do
    if isLive(base, gateway) and not string.find(',' .. list .. ',', ',' .. gateway .. ',', 1, true) then
      list = list == '-' and gateway or list .. ',' .. gateway
    end
  end
  return list
end

local function publish(gateways, user, position, text, amends)
  local recipient = user .. ':' .. position
  local payload = ARGV[text - 3] .. ' ' .. ARGV[text - 2] .. ' '
  if amends then
    payload = 'W\n' .. payload .. amends.target .. ' ' .. amends.version .. ' ' .. amends.action
      .. (amends.body and ' ' .. recipient .. ' *' or ' * ' .. recipient)
      .. '\n' .. ARGV[text] .. '\n' .. (amends.body or 'null')
  else
    payload = 'D\n' .. payload .. recipient .. '\n' .. ARGV[text]
  end
  for gateway in string.gmatch(gateways, '[^,]+') do redis.call('PUBLISH', channel .. gateway, payload) end
end

local function hasOtherId(inbox, position, text)
  local stored = redis.call('XRANGE', inbox, position .. '-0', position .. '-0')[1]
  return stored and string.match(stored[2][2], '^{"id":"[^"]+"') ~= string.match(text, '^{"id":"[^"]+"')
end

-- A user's field `larges`: the large groups that it is a member of, each with a space before and behind it.
local function noteLarge(userKey, conversation, mark)
  if not mark then return end
  local larges = redis.call('HGET', userKey, 'larges') or ' '
  local from, to = string.find(larges, ' ' .. conversation .. ' ', 1, true)
  if mark == '+' and not from then redis.call('HSET', userKey, 'larges', larges .. conversation .. ' ') end
  if mark == '-' and from then
    larges = string.sub(larges, 1, from) .. string.sub(larges, to + 1)
    if larges == ' ' then redis.call('HDEL', userKey, 'larges') else redis.call('HSET', userKey, 'larges', larges) end
  end
end

-- What the roles `quiet` and `over` say.
local function readAmends(role)
  local target, version, action, body, forced = string.match(role, '^%l+ (%d+) (%d+) (%l) (%d+) ?(%l*)$')
  return {target = target, version = version, action = action, body = body ~= '0' and ARGV[4 + 4 * body],
    forced = forced == 'forced'}
end

-- What an amendment lays over its message: all behind the amendment's seq.
local function overlayValue(amends, text, position)
  local by = amends.action == 'w' and '*' or ARGV[text - 3]
  return amends.version .. ' ' .. amends.action .. ' ' .. by .. ' ' .. ARGV[text - 1] .. ' ' .. position .. ' '
    .. (amends.body or 'null')
end

-- Notes that an amendment, and the message that it recalls, do not count as unread.
local function noteAmended(userKey, conversation, amends, seq, read)
  local quiet = string.format('%.0f-%.0f', seq, seq)
  if amends.action == 'r' and amends.body and tonumber(amends.target) > read then
    quiet = amends.target .. '-' .. amends.target .. ',' .. quiet
  end
  noteQuiet(userKey, conversation, quiet, read)
end

-- What an amendment changes beside its entry at `position`. Returns the read seq.
local function appendedQuiet(userKey, inbox, overlays, conversation, amends, text, position, most, at)
  local target = tonumber(amends.target)
  local recalled = amends.action == 'r' and amends.body and target
  if amends.body then
    layOver(inbox, overlays, conversation .. ':' .. amends.target, at.seq, overlayValue(amends, text, position), most)
  end
  noteShown(userKey, inbox, overlays, conversation, at.last, at.place, at.seq, recalled)
  local read = math.max(at.read, at.joined)
  if read >= at.seq - 1 then return at.seq end
  noteAmended(userKey, conversation, amends, at.seq, read)
  return at.read
end

local function appendRun(userKey)
  local base, user = ARGV[cursor + 1], ARGV[cursor + 2]
  local conversation, messages = ARGV[cursor + 3], tonumber(ARGV[cursor + 4])
  local at = cursor + 4
  cursor = at + 5 * messages
  local slot = slotOf(base)
  if not slot.isOpen then return 'closed' end
  local field = 'c:' .. conversation
  local stored = redis.call('HMGET', userKey, 'head', 'count', 'epoch', 'routes', field, 'waiting', 'loud', 'loaded')
  if stored[3] ~= slot.line then
    enterLine(slot, userKey, base .. 'devices:' .. user, jump)
    stored = redis.call('HMGET', userKey, 'head', 'count', 'epoch', 'routes', field, 'waiting', 'loud', 'loaded')
  end
  local head, count = tonumber(stored[1] or 0), tonumber(stored[2] or 0)
  local gateways = liveGateways(base, stored[4])
  local reply = head .. ' ' .. gateways

  local last, read, since, newest, place, status, held = 0, nil, nil, '0', '0', 'm', 0
  if stored[5] then
    last, read, since, newest, place, status, held =
      string.match(stored[5], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a) ?(%d*)$')
    last, read, since, held = tonumber(last), tonumber(read), tonumber(since), tonumber(held) or 0
  end
  local inbox, overlays = base .. 'inbox:' .. user, base .. 'amended:' .. user
  local gaps = {
    records = base .. 'gaps:' .. user,
    byLast = base .. 'gaps-by-last:' .. user,
    byFirst = base .. 'gaps-by-first:' .. user,
  }
  local changed, hole, arrived = false, false, nil
  for i = 0, messages - 1 do
    local one = at + 5 * i
    local text, seq, prev = 4 + 4 * ARGV[one + 1], tonumber(ARGV[one + 2]), tonumber(ARGV[one + 3])
    local joined, role, mark = tonumber(ARGV[one + 4]), ARGV[one + 5], nil
    local missing = ARGV[one + 1] == '0'
    local ending = string.byte(role, -1)
    if ending == 43 or ending == 45 then role, mark = string.sub(role, 1, -2), string.char(ending) end
    local amends = string.find(role, ' ', 1, true) and readAmends(role)
    if not since then read, since = joined, joined end
    local seen = last > joined and last or joined
    local outcome = '-'
    if role == 'listed' then
      if newest == '0' then
        newest, changed = ARGV[one + 2], true
        noteLarge(userKey, conversation, mark)
      end
    elseif role == 'skipped' then
      noteQuiet(userKey, conversation, ARGV[one + 3] .. '-' .. ARGV[one + 2], read)
    elseif amends and string.byte(role) == 111 then
      -- An empty inbox serves nothing that this would have to cover.
      if count > 0 then
        layOver(inbox, overlays, conversation .. ':' .. amends.target, seq, overlayValue(amends, text, 0), most)
      end
    elseif role == 'sent' then
      -- A user who joins and sends in one batch has no state from before.
      if (stored[5] or changed) and seq > read then read, changed = seq, true end
    elseif hole then
      outcome = 'hole'
    elseif seen >= seq then
      if not missing and last == seq and hasOtherId(inbox, place, ARGV[text]) then outcome = 'conflict' end
      -- After a loss, history may have brought the user beyond this message. It still tells that the group is large.
      -- A late repetition must not take that away again, so `-` is ignored here.
      if mark == '+' and place == '0' then noteLarge(userKey, conversation, mark) end
      -- It still does not count: a load may have come before the archive knew it.
      if amends and seq > read and seq > joined then noteAmended(userKey, conversation, amends, seq, read) end
    elseif seen < prev and role ~= 'forced' and not (amends and amends.forced) and not missing then
      hole, outcome = true, 'hole'
    else
      if seen + 1 < seq and slot.loads and slot.loads ~= stored[8] then
        -- Since a loss, what history knows of the gap may lie over what the inbox holds (install-user.lua).
        redis.call('HSETNX', userKey, 'k:' .. conversation, last)
      end
      if seen + 1 < seq and not missing then
        head = head + 1
        addGap(gaps, conversation, seen + 1, seq - 1, head, head, true)
        -- Nobody is notified of an amendment, but of what is missing before it.
        if amends then arrived = arrived or head end
      end
      noteLarge(userKey, conversation, mark)
      head, changed = head + 1, true
      if missing then
        addGap(gaps, conversation, seen + 1, seq, head, head)
        place, arrived = '0', arrived or head
      else
        local sent = ARGV[text - 3] == user
        local format = amends and (amends.body and '2' or '2-') or '1'
        if sent and ARGV[text - 2] ~= '*' then format = format .. ' ' .. ARGV[text - 2] end
        redis.call('XADD', inbox, head .. '-0', format, ARGV[text])
        count, held = count + 1, held + 1
        if amends then
          read = appendedQuiet(userKey, inbox, overlays, conversation, amends, text, head, most,
            {seq = seq, last = seen, place = place, read = read, joined = joined})
        else
          arrived, newest = arrived or not sent and head or nil, ARGV[text - 1]
        end
        place = head
      end
      if joined > since then
        since = joined
        if joined > read then read = joined end
      end
      if role == 'sender' and seq > read then read = seq end
      last, status, outcome = seq, role == 'leaves' and 'l' or 'm', head
      if channel ~= '' and gateways ~= '-' and not missing then publish(gateways, user, head, text, amends) end
    end
    reply = reply .. ' ' .. outcome
  end
  if changed then
    redis.call('HSET', userKey, 'head', head, 'count', count, field,
      last .. ' ' .. read .. ' ' .. since .. ' ' .. newest .. ' ' .. place .. ' ' .. status .. ' ' .. held)
  end
  if held > most / 4 and not string.find(stored[7] or '', ' ' .. conversation .. ' ', 1, true) then
    noteLoud(userKey, conversation, most)
  end
  if arrived and notifyAfter > 0 and not stored[6] then
    redis.call('HSET', userKey, 'waiting', string.format('%.0f %.0f', clock() + notifyAfter, arrived))
    redis.call('ZADD', base .. 'waiting', clock() + notifyAfter, user)
  end
  if count > most + math.floor(most / 50) then
    cutFairly(inbox, userKey, gaps, overlays, math.min(count - most, 1000), most)
  end
  return reply
end

local replies = {}
for run = 1, #KEYS - 1 do replies[run] = appendRun(KEYS[run]) end
return replies
