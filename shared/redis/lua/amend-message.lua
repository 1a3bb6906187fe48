-- @include append-message
-- @include choose-way
-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- @include sent-pool
-- Recalls or edits a message. One step decides who may, which version it is and its own seq, and appends the amendment
-- to the stream as a message of the conversation.
--
-- What must be known of the amended message is its state, a text:
--   "<version> <r|e|*> <amendSeq> <by> <at> <stream id> <sender> <sent at> <class> <kind> <hash of the body|*>"
-- `*`, 0 and the message's own values: it was never amended. The hash `*`: it was recalled, and has no body.
-- States of amended messages are noted beside the conversation, for an hour. Any other is looked up by the caller, in
-- Redis first and then in history, and is good for a minute of Redis' clock.
-- _Must hold:_ notes stay longer than a look-up is good for, and count more. So whatever was decided since a look-up is
-- known here (test/model/amending.test.ts).
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  notes
-- ARGV
--   1  beginning of the partition's keys
--   2  how long a clientId is remembered (ms)
--   3  mark of the pool of known clientIds that the caller heard last ('' = none)
--   4  time since the caller first heard that mark (ms, monotonic clock)
--   5  maximum unsettled entries
--   6  maximum members of a group whose messages have inbox entries
--   7  conversation
--   8  acting user
--   9  service (0|1)
--   10 seq of the message
--   11 r|e          recall or edit
--   12 new body (JSON; `null` for a recall)
--   13 hash of the new body (`*` for a recall)
--   14 clientId
--   15 fingerprint ('' = the clientId is not the client's, and is not remembered)
--   16 device
--   17 the version that must be in force ('' = any)
--   18 how long after the message its sender may do this (ms, 0 = no limit)
--   19 how long the deployment keeps messages (ms, '' = no limit)
--   20 the gateway, if it waits until history has the amendment ('' = it does not)
--   21 maximum versions that edits make
--   22 the state that the caller has looked up ('' = none)
--   23 the time that the script replied when it asked for that
-- Replies:
--   {closed} | {full} | {load} | {not_found}
--   {no_message}     there is no such message, or the user does not see it
--   {lookup, time}   the state has to be looked up
--   {server_kind}    it is a message of the server
--   {not_yours} | {late}
--   {other_version}  another version is in force
--   {recalled}       the message was recalled
--   {too_many}
--   {known}          the clientId was used for something else
--   {amended, amendSeq, version, by, at, stream id, mark of the pool}
--   {duplicate, amendSeq, version, by, at, stream id, mark of the pool}: of what is in force, or was answered before
--
-- Safe to repeat: what is in force already makes no new version, and a clientId finds its first answer. Every refusal
-- comes before the first write.
local slot, messages, conversation, members, notes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local base, dedupeMs, mark, heldMs = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local id, actor, isService = ARGV[7], ARGV[8], ARGV[9] == '1'
local target, word, body, bodyHash = tonumber(ARGV[10]), ARGV[11], ARGV[12], ARGV[13]
local clientId, fingerprint, device, ifVersion = ARGV[14], ARGV[15], ARGV[16], ARGV[17]
local withinMs, keptMs, gateway = tonumber(ARGV[18]), tonumber(ARGV[19]), ARGV[20]
local mostVersions, lookedUp, lookedUpAt = tonumber(ARGV[21]), ARGV[22], tonumber(ARGV[23])
local notesStayMs, lookUpIsGoodMs, dayMs, mostQuiet = 3600000, 60000, 86400000, 64

local function whole(number) return string.format('%.0f', number) end
local state, refusal = slotState(slot, 1, tonumber(ARGV[5]))
if refusal == 'closed' then return {refusal} end
local line = state[1]
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'prev', 'version', 'users', 'count', 'large', 'at',
  'creator', 'historyDays', 'quiet')
if found[1] ~= line then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- Answers before what may have changed since the first answer: whoever has left may still repeat.
local pool, hash, field
if fingerprint ~= '' then
  pool = openSentPool(base, dedupeMs, now, line, state[2], tonumber(state[3]), state[5], state[6])
  hash, field = sentHash(actor), actor .. ' ' .. id .. ' ' .. clientId
  local first = findSent(pool, hash, field)
  if first then
    local print, seq, streamId, at, version, by = string.match(first, '^(%S+) (%d+) (%S+) (%d+) (%d+) (%S+)$')
    -- One that came back from history, and is not in force any more, has lost its body: it is taken for the same.
    if print ~= fingerprint and print ~= string.match(fingerprint, '^(.*:)') .. '*' then return {'known'} end
    return {'duplicate', seq, version, by, at, streamId, pool.isNew and '' or pool.mark}
  end
end

-- Returns whether the actor sees the message; nil if it is no member.
local function sees()
  if isService then return true end
  local users = found[5]
  if users then return string.find(',' .. users .. ',', ',' .. actor .. ',', 1, true) and true or nil end
  local spans = redis.call('HGET', members, actor)
  if not spans or string.sub(spans, -1) ~= '-' then return nil end
  for joined, left in string.gmatch(spans, '(%d+)%-(%d*)') do
    if target > tonumber(joined) and (left == '' or target <= tonumber(left)) then return true end
  end
  return false
end
local isSeen = sees()
if isSeen == nil then return {'not_found'} end
if not isSeen or target > tonumber(found[2]) then return {'no_message'} end

local noted = redis.call('HMGET', notes, 'epoch', 'a ' .. ARGV[10])
local text = noted[1] == line and noted[2]
if not text then
  if lookedUp == '' or lookedUpAt > now or now - lookedUpAt > lookUpIsGoodMs then return {'lookup', whole(now)} end
  text = lookedUp
end
local version, inForce, amendSeq, by, at, streamId, sender, sentAt, class, kind, hashInForce = string.match(text,
  '^(%d+) (%S+) (%d+) (%S+) (%d+) (%S+) (%S+) (%d+) (%S+) (%S+) (%S+)$')
version, sentAt = tonumber(version), tonumber(sentAt)

if found[10] then keptMs = tonumber(found[10]) > 0 and tonumber(found[10]) * dayMs or nil end
if keptMs and now - sentAt > keptMs then return {'no_message'} end
if string.sub(kind, 1, 9) == 'restante.' then return {'server_kind'} end
-- A group's creator may recall whatever was written there, at any time.
local mayAlways = isService or (word == 'r' and found[9] == actor)
if not mayAlways and sender ~= actor then return {'not_yours'} end

-- The same again: also with the version that it has replaced, and after the time for it is over.
local isSame
if word == 'r' then isSame = inForce == 'r' else isSame = by == actor and hashInForce == bodyHash end
local wanted = tonumber(ifVersion)
if isSame and (not wanted or wanted == version or wanted == version - 1) then
  if pool then
    redis.call('HSET', pool.current .. hash, field,
      fingerprint .. ' ' .. amendSeq .. ' ' .. streamId .. ' ' .. at .. ' ' .. whole(version) .. ' ' .. by)
    mark = countSentPool(pool, slot, mark, heldMs)
  end
  return {'duplicate', amendSeq, whole(version), by, at, streamId, mark}
end
if not mayAlways and withinMs > 0 and now - sentAt > withinMs then return {'late'} end
if wanted and wanted ~= version then return {'other_version'} end
if inForce == 'r' then return {'recalled'} end
-- A recall is always possible: nobody makes a message that can never be taken away.
if word == 'e' and version >= mostVersions then return {'too_many'} end
if refusal then return {refusal} end

local prev, way, large = found[3] or found[2], '', found[7]
local seq = tonumber(found[2]) + 1
local seqText = whole(seq)
version = whole(version + 1)
redis.call('HSET', conversation, 'seq', seqText, 'amendSeq', seqText)
local isMany = found[6] and tonumber(found[6]) > tonumber(ARGV[6])
if isMany or large then
  -- An amendment does not move its conversation in lists, so a large group keeps its time.
  prev, way, large = chooseWay(conversation, large, isMany, prev, seq, large and found[8] or whole(now))
end
if found[3] then redis.call('HDEL', conversation, 'prev') end
if large then
  local quiet = {}
  for range in string.gmatch(found[11] or '', '[^,]+') do quiet[#quiet + 1] = range end
  if word == 'r' then quiet[#quiet + 1] = ARGV[10] .. '-' .. ARGV[10] end
  quiet[#quiet + 1] = seqText .. '-' .. seqText
  while #quiet > mostQuiet do table.remove(quiet, 1) end
  redis.call('HSET', conversation, 'quiet', table.concat(quiet, ','))
end

local action = word == 'r' and 'recall' or 'edit'
local late
streamId, late = appendMessage(messages, now, '1 amended ' .. id .. ' ' .. seqText .. ' ' .. prev .. ' ' .. found[4]
  .. ' ' .. actor .. ' ' .. device .. ' ' .. class .. ' ' .. (found[5] or '-') .. ' - ' .. ARGV[10]
  .. ' ' .. version .. ' ' .. word .. way,
  '"sender":"' .. actor .. '","clientId":"' .. clientId .. '","kind":"restante.amend","body":{"seq":' .. ARGV[10]
    .. ',"action":"' .. action .. '","version":' .. version .. '},"class":"' .. class .. '"}',
  gateway ~= '' and gateway or nil, 'b', body)
redis.call('HINCRBY', slot, 'appended', 1)
at = late ~= '' and string.sub(late, 2) or string.match(streamId, '^%d+')

if noted[1] and noted[1] ~= line then redis.call('DEL', notes) end
redis.call('HSET', notes, 'epoch', line, 'a ' .. ARGV[10], version .. ' ' .. word .. ' ' .. seqText .. ' ' .. actor
  .. ' ' .. at .. ' ' .. streamId .. ' ' .. sender .. ' ' .. whole(sentAt) .. ' ' .. class .. ' ' .. kind
  .. ' ' .. bodyHash)
redis.call('PEXPIRE', notes, notesStayMs)
if pool then
  redis.call('HSET', pool.current .. hash, field,
    fingerprint .. ' ' .. seqText .. ' ' .. streamId .. ' ' .. at .. ' ' .. version .. ' ' .. actor)
  mark = countSentPool(pool, slot, mark, heldMs)
end
return {'amended', seqText, version, actor, at, streamId, mark}
