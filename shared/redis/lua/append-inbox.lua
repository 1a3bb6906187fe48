-- @include gap-records
-- @include overlays
-- @include inbox-cut
-- @include inbox-line
-- @include inbox-payloads
-- @include inbox-pushes
-- @include lay-over
-- @include quiet-seqs
-- @include slot-open
-- @include shard-slots
-- @include inbox-state
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
--   4  ms after which the notifications look at a user that is not waiting yet and got something it did not send itself
--      (0 = never)
--   5  number of messages
--   6… seven per message: conversation, seq, prev, sender, device or `*`, time (ms), text ('' = none: everything up to
--      seq becomes a gap, which gets a position of its own)
--   then for each run: beginning of the shard's keys, number of appends,
--   and three per append: message index, joined, role
--      role        `member`
--                  `sender`   its read seq moves to seq
--                  `joins`, `leaves`
--                  `listed`   no message: the conversation appears in the user's list; seq is its time in ms
--                  `forced`   a hole that nothing can fill becomes a gap
--                  `sent`     no message: it was sent to a large group, and the sender's read seq moves to seq
--                  `skipped`  no message: a loss of Redis skipped the seqs from prev to seq, which do not
--                             count as unread
--                  `quiet <target> <version> <r|e> <body>`  the message amends the message `target`. `body` is the
--                             index of a message whose text is the new body, 0 = the user does not see that message.
--                             ` forced` behind it: as the role of that name
--                  `over <target> <version> <r|e|w> <body>`  no message: only what the amendment `seq` lays over the
--                             message, for a user whose inbox does not get the amendment (`w`: nor does the user)
--                  A trailing `+` says that the group is large for this user from this message on; `-` that it no
--                  longer is.
-- Replies: one per run: `closed`, or words: head before, gateways (comma-joined, `-` for none), then per message
--   <position>
--   -         skipped
--   conflict
--   hole
--
-- An inbox entry has one field. Its name is the format, followed by the device if this user sent it; its value is the
-- text. The format is `1`, of an amendment `2` or `2-` (overlays.include.lua). An amendment does not count as unread,
-- and nobody is notified of it.
-- Safe to repeat: stored messages are skipped.
--
-- This is done for every message and recipient, so each step counts: what is equal for all recipients of a message is
-- given once, keys and fields that are rarely needed are made and read then, and numbers stay text where nothing is
-- computed.
local most, jump = tonumber(args[1]), tonumber(args[2])
channel, notifyAfter = args[3], tonumber(args[4])
local messages = tonumber(args[5])
local cursor = offsetOf(messages + 1)

-- The seq and prev of each message; its other fields stand behind `offsetOf` of its index.
local seqs, prevs = {}, {}
for message = 1, messages do
  local of = offsetOf(message)
  seqs[message], prevs[message] = tonumber(args[of + 2]), tonumber(args[of + 3])
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
  return {target = target, version = version, action = action, body = body ~= '0' and args[offsetOf(body) + 7],
    forced = forced == 'forced'}
end

-- What an amendment lays over its message: all behind the amendment's seq. `of`: the offset of the amendment.
local function overlayValue(amends, of, position)
  local by = amends.action == 'w' and '*' or args[of + 4]
  return amends.version .. ' ' .. amends.action .. ' ' .. by .. ' ' .. args[of + 6] .. ' ' .. position .. ' '
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
local function appendedQuiet(userKey, inbox, overlays, conversation, amends, of, position, most, at)
  local target = tonumber(amends.target)
  local recalled = amends.action == 'r' and amends.body and target
  if amends.body then
    layOver(inbox, overlays, conversation .. ':' .. amends.target, at.seq, overlayValue(amends, of, position), most)
  end
  noteShown(userKey, inbox, overlays, conversation, at.last, at.place, at.seq, recalled)
  local read = math.max(at.read, at.joined)
  -- The user may have read beyond it already, in a conversation that goes to inboxes late.
  if read >= at.seq - 1 then return math.max(read, at.seq) end
  noteAmended(userKey, conversation, amends, at.seq, read)
  return at.read
end

-- Brings a user into the line of its slot, and returns what it has then.
local function enter(slot, userKey, field, base, user)
  local found = call('HMGET', slot.key, 'complete', 'generation')
  local state = {line = slot.line, complete = found[1], generation = tonumber(found[2] or 0)}
  enterLine(state, userKey, base .. 'devices:' .. user, jump)
  return readUser(userKey, field)
end

-- Since a loss, what history knows of the seqs behind `last` may lie over what the inbox holds (install-user.lua). The
-- user may have left among them, and be back: then they are no gap. With `last` 0 it holds nothing from before them.
local function noteUnknown(slot, userKey, conversation, last)
  if last == '0' then return end
  if slot.loads == nil then slot.loads = call('HGET', slot.key, 'loads') end
  if slot.loads and slot.loads ~= call('HGET', userKey, 'loaded') then
    call('HSETNX', userKey, 'k:' .. conversation, last)
  end
end

local function overlaysOf(base, user) return base .. 'amended:' .. user end

local function gapsOf(base, user)
  return {
    records = base .. 'gaps:' .. user,
    byLast = base .. 'gaps-by-last:' .. user,
    byFirst = base .. 'gaps-by-first:' .. user,
  }
end

local function isLoud(userKey, conversation)
  return find(call('HGET', userKey, 'loud') or '', ' ' .. conversation .. ' ', 1, true)
end

local function appendRun(userKey)
  local base, appends = args[cursor + 1], tonumber(args[cursor + 2])
  local user = sub(userKey, #base + #'user:' + 1)
  local at = cursor + 2
  cursor = at + 3 * appends
  local conversation = args[offsetOf(args[at + 1]) + 1]
  local field = 'c:' .. conversation
  local stored = readUser(userKey, field)
  local first = firstGateway(stored[4])
  local slot = slotOf(base, first)
  if not slot.isOpen then return 'closed' end
  if stored[1] ~= slot.line then
    stored = enter(slot, userKey, field, base, user)
    first = firstGateway(stored[4])
  end
  local headText, head, count = stored[2] or '0', tonumber(stored[2] or 0), tonumber(stored[3] or 0)
  local gateways = liveGateways(slot, stored[4], first)
  local reply = headText .. ' ' .. gateways

  -- `lastText`, `readText` and `sinceText` are the texts of `last`, `read` and `since`.
  local last, read, since, held = 0, nil, nil, 0
  local lastText, readText, sinceText, newest, place, status, heldText = '0', nil, nil, '0', '0', 'm', nil
  if stored[5] then
    lastText, readText, sinceText, newest, place, status, heldText = readState(stored[5])
    last, read, since, held = tonumber(lastText), tonumber(readText), tonumber(sinceText), tonumber(heldText) or 0
  end
  local inbox = base .. 'inbox:' .. user
  local changed, hole, arrived = false, false, nil
  for one = at, cursor - 1, 3 do
    local message, joinedText, role = tonumber(args[one + 1]), args[one + 2], args[one + 3]
    local of, seq, prev, joined = offsetOf(message), seqs[message], prevs[message], tonumber(joinedText)
    local seqText, text, mark, amends = args[of + 2], args[of + 7], nil, nil
    local missing = text == ''
    if role ~= 'member' and role ~= 'sender' then
      local ending = string.byte(role, -1)
      if ending == 43 or ending == 45 then role, mark = sub(role, 1, -2), string.char(ending) end
      amends = find(role, ' ', 1, true) and readAmends(role)
    end
    if not since then read, since, readText, sinceText = joined, joined, joinedText, joinedText end
    local seen = last > joined and last or joined
    local outcome = '-'
    if role == 'listed' then
      if newest == '0' then
        newest, changed = seqText, true
        noteLarge(userKey, conversation, mark)
      end
    elseif role == 'skipped' then
      noteQuiet(userKey, conversation, args[of + 3] .. '-' .. seqText, read)
    elseif amends and string.byte(role) == 111 then
      -- An empty inbox serves nothing that this would have to cover.
      if count > 0 then
        local value = overlayValue(amends, of, 0)
        layOver(inbox, overlaysOf(base, user), conversation .. ':' .. amends.target, seq, value, most)
      end
    elseif role == 'sent' then
      -- A user who joins and sends in one batch has no state from before.
      if (stored[5] or changed) and seq > read then read, readText, changed = seq, seqText, true end
    elseif hole then
      outcome = 'hole'
    elseif seen >= seq then
      if not missing and last == seq and hasOtherId(inbox, place, text) then outcome = 'conflict' end
      -- After a loss, history may have brought the user beyond this message. It still tells that the group is large.
      -- A late repetition must not take that away again, so `-` is ignored here.
      if mark == '+' and place == '0' then noteLarge(userKey, conversation, mark) end
      -- It still does not count: a load may have come before the archive knew it.
      if amends and seq > read and seq > joined then noteAmended(userKey, conversation, amends, seq, read) end
    elseif seen < prev and role ~= 'forced' and not (amends and amends.forced) and not missing then
      hole, outcome = true, 'hole'
    else
      if last + 1 < seq then noteUnknown(slot, userKey, conversation, lastText) end
      if seen + 1 < seq and not missing then
        head = head + 1
        addGap(gapsOf(base, user), conversation, seen + 1, seq - 1, head, head, true)
        -- Nobody is notified of an amendment, but of what is missing before it.
        if amends then arrived = arrived or head end
      end
      if mark then noteLarge(userKey, conversation, mark) end
      head, changed = head + 1, true
      headText = format('%d', head)
      if missing then
        addGap(gapsOf(base, user), conversation, seen + 1, seq, head, head)
        place, arrived = '0', arrived or head
      else
        local isSent = args[of + 4] == user
        local entryFormat = amends and (amends.body and '2' or '2-') or '1'
        if isSent and args[of + 5] ~= '*' then entryFormat = entryFormat .. ' ' .. args[of + 5] end
        call('XADD', inbox, headText .. '-0', entryFormat, text)
        count, held = count + 1, held + 1
        if amends then
          read = appendedQuiet(userKey, inbox, overlaysOf(base, user), conversation, amends, of, headText, most,
            {seq = seq, last = seen, place = place, read = read, joined = joined})
          readText = whole(read)
        else
          newest = args[of + 6]
          if not isSent then arrived = arrived or head end
        end
        place = headText
      end
      if joined > since then
        since, sinceText = joined, joinedText
        if joined > read then read, readText = joined, joinedText end
      end
      if role == 'sender' and seq > read then read, readText = seq, seqText end
      last, lastText, status, outcome = seq, seqText, role == 'leaves' and 'l' or 'm', headText
      if channel ~= '' and gateways ~= '-' and not missing then push(gateways, message, user, headText, amends) end
    end
    reply = reply .. ' ' .. outcome
  end
  if changed then
    writeUser(userKey, field, headText, count, lastText, readText, sinceText, newest, place, status, held)
  end
  if held > most / 4 and not isLoud(userKey, conversation) then noteLoud(userKey, conversation, most) end
  if arrived and notifyAfter > 0 and not stored[6] then noteArrived(base, userKey, user, arrived) end
  if count > most + math.floor(most / 50) then
    cutFairly(inbox, userKey, gapsOf(base, user), overlaysOf(base, user), math.min(count - most, 1000), most)
  end
  return reply
end

local replies = {}
for run = 1, #KEYS - 1 do replies[run] = appendRun(KEYS[run]) end
publishRest()
return replies
