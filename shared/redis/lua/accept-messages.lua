-- @include append-message
-- @include choose-way
-- @include consumer-groups
-- @include groups
-- @include inbox-payloads
-- @include slot-open
-- @include shard-slots
-- @include inbox-state
-- @include short-way
-- @include slot-state
-- @include sent-pool
-- Accepts sends into one partition. For each send, in the order given, one step decides on the duplicate check,
-- membership, the seq and the stream entry. They come in runs: sends to one conversation, with the same right.
--
-- KEYS
--   1  slot of the partition
--   2  messages (stream)
-- ARGV
--   1  beginning of the partition's keys
--   2  how long a clientId is remembered (ms)
--   3  maximum unsettled entries
--   4  maximum members of a group whose messages have inbox entries
--   5  mark of the pool of known clientIds that the caller heard last ('' = none)
--   6  time since the caller first heard that mark (ms, monotonic clock)
--   7  the gateway and the places (from 1) of the sends for which it waits until history has them, separated by
--      spaces; '' = none
--   8  places (from 1) of the sends that name an earlier one, each with the clientId of that one after it, separated
--      by spaces; '' = none
--   9  the oldest time in a UUIDv7 clientId of these sends (ms); '' = none has one
--  10  of each send the time in its clientId (ms), separated by spaces: 0 = it has none, -1 = history was searched
--      already; '' if 9 is ''
--  11  of calls from which messages may go the short way (short-way.include.lua): the number of the partition,
--      maximum entries of an inbox, ms after which the notifications look (append-inbox.lua), and the beginning of
--      push channels, separated by spaces; '' = none may
--  12… for each run: conversation, right, number of sends,
--      and four per send: clientId, fingerprint, origin, tail
--      right   `<user>,<user>`  the two members of a direct conversation, which need not exist; if its sends may go the
--                               short way, the beginnings of the keys of the shards of both, with a space before each
--              `member`         the sender's span must be open
--              `service`        membership is not checked
--      origin  <sender> <device> <class>
--  last  number of sends
-- Replies: `closed` or `full` alone when nothing was accepted (see slotState), otherwise one reply per send:
--   <seq> <streamId> [at]            accepted
--   duplicate <seq> <streamId> [at]
--   conflict
--   not_found
--   out_of_order  the send that it names is not known to be accepted
--   load      Redis cannot vouch for the conversation: load it from history, then ask again
--   lookup    the clientId is older than the pool: search history, then ask again with the time -1
--   held      an earlier send of this call to the same conversation needs a load, or one of the same sender to it
--             needs a lookup: ask again after that one
-- followed by two more replies: the number of entries the group `inbox` has not settled, and the mark of the pool; and
-- with 11 by a third one, the number of sends that went the short way.
--
-- The group `inbox` is moved past the entries of the short way that this call appends first, if the group has been
-- given everything before them.
--
-- Safe to repeat: a repeated send finds its first answer. Every refusal of a send comes before its first write. The
-- first write of a call fails only for lack of memory or disk, so an error reply means that nothing was accepted.
--
-- The send that another one names is in the pool if it was accepted before, also by this call. A repeated send gets its
-- first answer whatever it names, so that question comes after the pool and after a lookup.
--
-- Most of what Redis does for a message is done here, so each step counts. A conversation is read and written once for
-- a run, and a hash of the pool is written once for the call. Numbers stay text where nothing is computed: giving Redis
-- a number takes it longer than many a command.
local args, slot, messages = ARGV, KEYS[1], KEYS[2]
local base, dedupeMs, mostUnsettled, mostInInboxes = args[1], tonumber(args[2]), tonumber(args[3]), tonumber(args[4])
local sends = tonumber(args[#args])
local find, sub, format = string.find, string.sub, string.format

local state, refusal = slotState(slot, sends, mostUnsettled)
if refusal then return {refusal} end
local line, complete = state[1], state[2]

now = clock()
local pool = openSentPool(base, dedupeMs, now, line, complete, tonumber(state[3]), state[5], state[6])
local knownFrom = sentKnownFrom(pool)

local replies, held, anyHeld, appended, short = {}, {}, false, 0, 0
if args[11] ~= '' then
  local partition, most, after, push = string.match(args[11], '^(%d+) (%d+) (%d+) (%S+)$')
  shortWay = {partition = partition, most = tonumber(most)}
  notifyAfter, channel = tonumber(after), push
end
-- Whether the group `inbox` is moved past what this call appends: nil = nothing was appended yet, false = not past any
-- more. `passed`: how many entries, `passedTo` is the last of them.
local isPassing, passed, passedTo = nil, 0, nil
-- New fields and values of the pool, by hash. They are written at the end.
local noted = {}

-- The gateway by the place of each send for which it waits.
local waiting = {}
if args[7] ~= '' then
  local gateway
  for word in string.gmatch(args[7], '%S+') do
    if gateway then waiting[tonumber(word)] = gateway else gateway = word end
  end
end

-- The clientId that a send names, by its place.
local named = {}
if args[8] ~= '' then
  for place, clientId in string.gmatch(args[8], '(%d+) (%S+)') do named[tonumber(place)] = clientId end
end

-- Whether a clientId is older than the pool, by its place.
local old = {}
if args[9] ~= '' and tonumber(args[9]) - clockSkew < knownFrom then
  for made in string.gmatch(args[10], '%S+') do
    made = tonumber(made)
    old[#old + 1] = made > 0 and made - clockSkew < knownFrom
  end
end

-- The run in hand. `accepted` has the pool's fields of this call's sends to its conversation. The conversation's own
-- fields are read when they are first needed; until then `seq` is nil. So are the inboxes of a run that may go the
-- short way, which has `shards`.
local id, right, users, accepted, shards, inboxes
local key, seq, prev, version, wrote, large, manyMembers, isAdvanced, hasPrev, hasNewWriters

local function beginRun(conversation, itsRight)
  if conversation ~= id then accepted = {} end
  id, right, users = conversation, itsRight, itsRight ~= 'member' and itsRight ~= 'service' and itsRight
  seq, isAdvanced, shards, inboxes = nil, false, nil, nil
  local space = users and find(users, ' ', 1, true)
  if space then
    if shortWay then shards = sub(users, space + 1) end
    users = sub(users, 1, space - 1)
  end
end

-- Reads the conversation. Returns why it cannot: a reply, or nil. `isEarly`: the send is refused as out of order, so it
-- creates no conversation.
local function readConversation(isEarly)
  key = base .. 'conversation:' .. id
  local fields
  if users then
    -- It is never large.
    fields = call('HMGET', key, 'epoch', 'seq', 'prev', 'version', 'wrote')
  else
    fields = call('HMGET', key, 'epoch', 'seq', 'prev', 'version', 'wrote', 'users', 'count', 'large')
  end
  if fields[1] ~= line then
    if fields[1] or complete ~= '1' then return 'load' end
    if not users then return 'not_found' end
    if isEarly then return 'out_of_order' end
    local createdAt = format('%d', now)
    call('HSET', key, 'epoch', line, 'seq', '0', 'version', '1', 'kind', 'direct', 'createdAt', createdAt,
      'service', '0', 'users', users)
    call('XADD', messages, '*', 'r', '1 created ' .. id .. ' ' .. createdAt .. ' 0 1 ' .. users,
      't', '{"name":null,"members":[]}')
    appended, isPassing = appended + 1, false
    fields = {line, '0', false, '1', false}
  end
  prev, version, wrote, users = fields[3], fields[4], fields[5] or '', users or fields[6] or '-'
  manyMembers, large = fields[7] and tonumber(fields[7]) > mostInInboxes, fields[8] or false
  seq, hasPrev, hasNewWriters = fields[2], prev, false
end

-- Returns 'member' for a current member, 'former' for a former one, false for anybody who never was one.
local function membership(sender)
  if users ~= '-' then
    local comma = find(users, ',', 1, true)
    return (sub(users, 1, comma - 1) == sender or sub(users, comma + 1) == sender) and 'member'
  end
  local spans = call('HGET', base .. 'members:' .. id, sender)
  return spans and (sub(spans, -1) == '-' and 'member' or 'former')
end

-- Which of a direct conversation's two users have written once `sender` has: '1', '2' or '12', '' for none of them. The
-- two of a conversation with oneself are one.
local function writers(sender)
  local comma = find(users, ',', 1, true)
  local one, other = sender == sub(users, 1, comma - 1), sender == sub(users, comma + 1)
  return ((one or find(wrote, '1', 1, true)) and '1' or '') .. ((other or find(wrote, '2', 1, true)) and '2' or '')
end

-- Returns whether the conversation may have messages older than the pool.
local function isOlder()
  return tonumber(call('HGET', key, 'createdAt') or 0) < knownFrom
end

-- Whether the message behind `seq` goes the short way.
local function goesShort()
  if not shards then return false end
  inboxes = inboxes or openInboxes(id, users, shards)
  if not inboxes then
    shards = nil
    return false
  end
  local before = tonumber(seq)
  return takes(inboxes[1], before) and takes(inboxes[2], before)
end

-- Appends a message to the stream, and to both inboxes if it goes the short way. Returns what appendMessage does.
local function append(place, itsSeq, routing, origin, tail)
  if not goesShort() then
    isPassing = false
    return appendMessage(messages, now, routing, tail, waiting[place])
  end
  if isPassing == nil then isPassing = isGroupAtEnd(messages) end
  local streamId, late = appendMessage(messages, now, routing, tail, waiting[place], 's', '1')
  if pcall(intoInboxes, inboxes, place, id, streamId, late, itsSeq, origin, tail) then
    short = short + 1
    if isPassing then passed, passedTo = passed + 1, streamId end
    return streamId, late
  end
  isPassing = false
  -- An inbox cannot be written. The entry has been seen by nobody: in its place comes one that the fanout appends.
  call('XDEL', messages, streamId)
  shards = nil
  return appendMessage(messages, now, routing, tail, waiting[place])
end

local function accept(place, clientId, fingerprint, origin, tail)
  local sender = sub(origin, 1, find(origin, ' ', 1, true) - 1)
  local hash, name = sentHash(sender), sender .. ' ' .. id .. ' ' .. clientId
  local first = accepted[name] or findSent(pool, hash, name)
  if first then
    local space = find(first, ' ', 1, true)
    local print = sub(first, 1, space - 1)
    if print ~= fingerprint and print ~= '*' then return 'conflict' end
    return 'duplicate ' .. sub(first, space + 1)
  end
  if anyHeld and held[id] then return 'held' end
  local isEarly = false
  if named[place] then
    local earlier = sender .. ' ' .. id .. ' ' .. named[place]
    isEarly = not (accepted[earlier] or findSent(pool, hash, earlier))
  end
  if not seq then
    local refusal = readConversation(isEarly)
    if refusal == 'load' then held[id], anyHeld = true, true end
    if refusal then return refusal end
  end
  local is = right ~= 'member' and 'member' or membership(sender)
  if not is then return 'not_found' end
  if old[place] and isOlder() then
    held[sender .. ' ' .. id], anyHeld = true, true
    return 'lookup'
  end
  if anyHeld and held[sender .. ' ' .. id] then return 'held' end
  if is == 'former' then return 'not_found' end
  if isEarly then return 'out_of_order' end

  local before, route = prev or seq, ''
  local itsSeq = format('%d', seq + 1)
  if manyMembers or large then before, route, large = chooseWay(key, large, manyMembers, before, itsSeq, now) end
  local streamId, late = append(place, itsSeq, '1 message ' .. id .. ' ' .. itsSeq .. ' ' .. before .. ' ' .. version
    .. ' ' .. origin .. ' ' .. users .. ' -' .. route, origin, tail)
  appended = appended + 1
  seq, prev, isAdvanced = itsSeq, false, true
  if wrote ~= '12' and users ~= '-' then
    local both = writers(sender)
    if both ~= wrote then wrote, hasNewWriters = both, true end
  end

  local answer = itsSeq .. ' ' .. streamId .. late
  local value = fingerprint .. ' ' .. answer
  accepted[name] = value
  local fields = noted[hash]
  if fields then
    local count = #fields
    fields[count + 1], fields[count + 2] = name, value
  else
    noted[hash] = {name, value}
  end
  return answer
end

local function endRun()
  if not isAdvanced then return end
  isAdvanced = false
  if hasNewWriters then call('HSET', key, 'seq', seq, 'wrote', wrote) else call('HSET', key, 'seq', seq) end
  if hasPrev then call('HDEL', key, 'prev') end
  if inboxes then closeInboxes(inboxes) end
end

local fine, failure = pcall(function()
  local at, place = 11, 0
  while place < sends do
    beginRun(args[at + 1], args[at + 2])
    local last = place + args[at + 3]
    at = at + 3
    while place < last do
      place = place + 1
      replies[place] = accept(place, args[at + 1], args[at + 2], args[at + 3], args[at + 4])
      at = at + 4
    end
    endRun()
  end
end)
-- What was appended counts, whatever has failed after it.
endRun()
publishRest()
for hash, fields in pairs(noted) do call('HSET', pool.current .. hash, unpack(fields)) end
local mark = pool.isNew and '' or pool.mark
if appended > 0 then
  call('HINCRBY', slot, 'appended', format('%d', appended))
  if passed > 0 then passGroup(messages, slot, passedTo, passed) end
  mark = countSentPool(pool, slot, args[5], tonumber(args[6]))
end
if not fine then
  -- An error of a command begins with its code, by which callers know whether it was refused.
  local text = type(failure) == 'table' and failure.err or tostring(failure)
  return {err = string.match(text, '^%u+ ') and text or 'ERR ' .. text}
end
replies[sends + 1] = format('%d', math.max(0, (state[4] or 0) + appended - passed - (state[8] or 0)))
replies[sends + 2] = mark
if args[11] ~= '' then replies[sends + 3] = format('%d', short) end
return replies
