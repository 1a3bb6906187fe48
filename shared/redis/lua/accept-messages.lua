-- @include append-message
-- @include choose-way
-- @include slot-state
-- @include sent-pool
-- Accepts sends into one partition: dedupe, membership, seq and append are one decision for each, in the order given.
--
-- KEYS[1] slot of the partition   KEYS[2] messages (stream)
-- ARGV[1] what the partition's keys begin with   ARGV[2] for how long a clientId is known (ms)
-- ARGV[3] most unsettled entries   ARGV[4] most members of a group with inbox entries   ARGV[5] mark of the pool of known clientIds that the
-- caller heard of last ('' = none)   ARGV[6] how long ago it heard of it first (ms, by a clock that only runs)   ARGV[7..] ten for each send:
--   conversation, sender, clientId, fingerprint, way, users, device, class, made, tail
--   way: `direct` (users are the two, who need no conversation to exist), `member` (the sender's span must be open),
--        `service` (no membership asked); made: time in a UUIDv7 clientId (ms), 0 when there is none, -1 when history was searched
-- Replies `closed` (the slot was never opened, or was wiped) or `full` as the whole answer, nothing accepted; else one for each send:
--   accepted <seq> <streamId> [at] | duplicate <seq> <streamId> [at] | conflict | not_found
--   load      Redis cannot vouch for the conversation: load it from history, then ask again
--   lookup    the clientId is older than what the pool knows: search the history, then ask again with made = -1
--   held      an earlier send of this call waits, to the same conversation for a load, or also from the same sender for a lookup: ask again
--             after it
-- and, last of all, how many entries the group `inbox` has not settled, and the mark of the pool.
--
-- Safe to repeat: a repeated send finds its first answer. Every refusal comes before the first write of that send; the
-- first write of a call can only fail as a whole (memory, disk), so an error reply means that nothing was accepted.
local slot, messages = KEYS[1], KEYS[2]
local base, dedupeMs, mostUnsettled, mostInInboxes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local leading = 6
local sends = (#ARGV - leading) / 10

local state, refusal = slotState(slot, sends, mostUnsettled)
if refusal then return {refusal} end
local epoch, complete = state[1], state[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pool = openSentPool(base, dedupeMs, now, epoch, complete, tonumber(state[3]), state[7], state[8])
local knownFrom = sentKnownFrom(pool)

local replies, known, held, anyHeld, appended = {}, {}, {}, false, 0

local function conversationState(id, way, users)
  local found = known[id]
  if found then return found end
  local key = base .. 'conversation:' .. id
  local fields = call('HMGET', key, 'epoch', 'seq', 'prev', 'version', 'users', 'count', 'large')
  if fields[1] ~= epoch then
    if fields[1] or complete ~= '1' then return 'load' end
    if way ~= 'direct' then return 'not_found' end
    call('HSET', key, 'epoch', epoch, 'seq', 0, 'version', 1, 'kind', 'direct', 'createdAt', now, 'service', 0, 'users', users)
    call('XADD', messages, '*', 'r', '1 created ' .. id .. ' ' .. now .. ' 0 1 ' .. users, 't', '{"name":null,"members":[]}')
    appended = appended + 1
    fields = {epoch, '0', false, '1', users}
  end
  found = {key = key, seq = tonumber(fields[2]), prev = fields[3], version = fields[4], users = fields[5] or '-',
    manyMembers = fields[6] and tonumber(fields[6]) > mostInInboxes, large = fields[7]}
  known[id] = found
  return found
end

-- Whether the sender is a member now, was one ('former'), or never was (false).
local function membership(conversation, id, sender)
  if conversation.users ~= '-' then
    local comma = string.find(conversation.users, ',', 1, true)
    return (string.sub(conversation.users, 1, comma - 1) == sender or string.sub(conversation.users, comma + 1) == sender) and 'member'
  end
  local spans = call('HGET', base .. 'members:' .. id, sender)
  return spans and (string.sub(spans, -1) == '-' and 'member' or 'former')
end

-- Whether a conversation has messages from before what the pool knows.
local function isOlder(conversation)
  return tonumber(call('HGET', conversation.key, 'createdAt') or 0) < knownFrom
end

local function accept(id, sender, clientId, fingerprint, way, users, device, class, made, tail)
  local hash, field = sentHash(sender), sender .. ' ' .. id .. ' ' .. clientId
  local first = findSent(pool, hash, field)
  if first then
    local space = string.find(first, ' ', 1, true)
    if string.sub(first, 1, space - 1) ~= fingerprint then return 'conflict' end
    return 'duplicate ' .. string.sub(first, space + 1)
  end
  if anyHeld and held[id] then return 'held' end
  local conversation = conversationState(id, way, users)
  if conversation == 'load' then held[id], anyHeld = true, true end
  if type(conversation) == 'string' then return conversation end
  local is = way ~= 'member' and 'member' or membership(conversation, id, sender)
  if not is then return 'not_found' end
  if made > 0 and made - clockSkew < knownFrom and isOlder(conversation) then
    held[sender .. ' ' .. id], anyHeld = true, true
    return 'lookup'
  end
  if anyHeld and held[sender .. ' ' .. id] then return 'held' end
  if is == 'former' then return 'not_found' end

  local prev, way = conversation.prev or conversation.seq, ''
  local seq = conversation.seq + 1
  call('HSET', conversation.key, 'seq', seq)
  if conversation.manyMembers or conversation.large then
    prev, way, conversation.large = chooseWay(conversation.key, conversation.large, conversation.manyMembers, prev, seq, now)
  end
  if conversation.prev then
    call('HDEL', conversation.key, 'prev')
    conversation.prev = false
  end
  conversation.seq = seq
  local seqText = string.format('%.0f', seq)
  local streamId, time = appendMessage(messages, now, '1 message ' .. id .. ' ' .. seqText .. ' ' .. prev .. ' ' .. conversation.version
    .. ' ' .. sender .. ' ' .. device .. ' ' .. class .. ' ' .. conversation.users .. ' -' .. way, tail)
  appended = appended + 1
  local answer = seqText .. ' ' .. streamId .. time
  call('HSET', pool.current .. hash, field, fingerprint .. ' ' .. answer)
  return 'accepted ' .. answer
end

for i = 0, sends - 1 do
  local at = leading + i * 10
  replies[i + 1] = accept(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6],
    ARGV[at + 7], ARGV[at + 8], tonumber(ARGV[at + 9]), ARGV[at + 10])
end
replies[sends + 1] = tostring(math.max(0, tonumber(state[4] or 0) + appended - tonumber(state[5] or 0)))
if appended > 0 then
  call('HINCRBY', slot, 'appended', appended)
  replies[sends + 2] = countSentPool(pool, slot, ARGV[5], tonumber(ARGV[6]))
else
  replies[sends + 2] = pool.isNew and '' or pool.mark
end
return replies
