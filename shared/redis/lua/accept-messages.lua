-- @include append-message
-- @include choose-way
-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- @include sent-pool
-- Accepts sends into one partition. For each send, in the order given, one step decides on the duplicate check,
-- membership, the seq and the stream entry.
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
--   8… ten per send: conversation, sender, clientId, fingerprint, right, users, device, class, made, tail
--      right  `direct`   users are the two members; the conversation need not exist
--             `member`   the sender's span must be open
--             `service`  membership is not checked
--      made   time in a UUIDv7 clientId (ms), 0 = it has none, -1 = history was searched already
-- Replies: `closed` or `full` alone when nothing was accepted (see slotState), otherwise one reply per send:
--   accepted <seq> <streamId> [at]
--   duplicate <seq> <streamId> [at]
--   conflict
--   not_found
--   load      Redis cannot vouch for the conversation: load it from history, then ask again
--   lookup    the clientId is older than the pool: search history, then ask again with made = -1
--   held      an earlier send of this call to the same conversation needs a load, or one of the same sender to it
--             needs a lookup: ask again after that one
-- followed by two more replies: the number of entries the group `inbox` has not settled, and the mark of the pool.
--
-- Safe to repeat: a repeated send finds its first answer. Every refusal of a send comes before its first write. The
-- first write of a call fails only for lack of memory or disk, so an error reply means that nothing was accepted.
local slot, messages = KEYS[1], KEYS[2]
local base, dedupeMs, mostUnsettled, mostInInboxes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local leading = 7
local sends = (#ARGV - leading) / 10

local state, refusal = slotState(slot, sends, mostUnsettled)
if refusal then return {refusal} end
local line, complete = state[1], state[2]

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pool = openSentPool(base, dedupeMs, now, line, complete, tonumber(state[3]), state[5], state[6])
local knownFrom = sentKnownFrom(pool)

local replies, known, held, anyHeld, appended = {}, {}, {}, false, 0

-- The gateway by the place of each send for which it waits.
local waiting = {}
if ARGV[7] ~= '' then
  local gateway
  for word in string.gmatch(ARGV[7], '%S+') do
    if gateway then waiting[tonumber(word)] = gateway else gateway = word end
  end
end

local function conversationState(id, right, users)
  local found = known[id]
  if found then return found end
  local key = base .. 'conversation:' .. id
  local fields = call('HMGET', key, 'epoch', 'seq', 'prev', 'version', 'users', 'count', 'large',
    'wrote')
  if fields[1] ~= line then
    if fields[1] or complete ~= '1' then return 'load' end
    if right ~= 'direct' then return 'not_found' end
    call('HSET', key, 'epoch', line, 'seq', 0, 'version', 1, 'kind', 'direct', 'createdAt', now,
      'service', 0, 'users', users)
    call('XADD', messages, '*', 'r', '1 created ' .. id .. ' ' .. now .. ' 0 1 ' .. users,
      't', '{"name":null,"members":[]}')
    appended = appended + 1
    fields = {line, '0', false, '1', users}
  end
  found = {key = key, seq = tonumber(fields[2]), prev = fields[3], version = fields[4], users = fields[5] or '-',
    manyMembers = fields[6] and tonumber(fields[6]) > mostInInboxes, large = fields[7], wrote = fields[8] or ''}
  known[id] = found
  return found
end

-- Returns 'member' for a current member, 'former' for a former one, false for anybody who never was one.
local function membership(conversation, id, sender)
  if conversation.users ~= '-' then
    local comma = string.find(conversation.users, ',', 1, true)
    return (string.sub(conversation.users, 1, comma - 1) == sender
      or string.sub(conversation.users, comma + 1) == sender) and 'member'
  end
  local spans = call('HGET', base .. 'members:' .. id, sender)
  return spans and (string.sub(spans, -1) == '-' and 'member' or 'former')
end

-- Which of a direct conversation's two users have written once `sender` has: '1', '2' or '12', '' for none of them. The
-- two of a conversation with oneself are one.
local function writers(conversation, sender)
  local comma = string.find(conversation.users, ',', 1, true)
  local one = sender == string.sub(conversation.users, 1, comma - 1)
  local other = sender == string.sub(conversation.users, comma + 1)
  return ((one or string.find(conversation.wrote, '1', 1, true)) and '1' or '')
    .. ((other or string.find(conversation.wrote, '2', 1, true)) and '2' or '')
end

-- Returns whether a conversation may have messages older than the pool.
local function isOlder(conversation)
  return tonumber(call('HGET', conversation.key, 'createdAt') or 0) < knownFrom
end

local function accept(id, sender, clientId, fingerprint, right, users, device, class, made, tail, gateway)
  local hash, field = sentHash(sender), sender .. ' ' .. id .. ' ' .. clientId
  local first = findSent(pool, hash, field)
  if first then
    local space = string.find(first, ' ', 1, true)
    local print = string.sub(first, 1, space - 1)
    if print ~= fingerprint and print ~= '*' then return 'conflict' end
    return 'duplicate ' .. string.sub(first, space + 1)
  end
  if anyHeld and held[id] then return 'held' end
  local conversation = conversationState(id, right, users)
  if conversation == 'load' then held[id], anyHeld = true, true end
  if type(conversation) == 'string' then return conversation end
  local is = right ~= 'member' and 'member' or membership(conversation, id, sender)
  if not is then return 'not_found' end
  if made > 0 and made - clockSkew < knownFrom and isOlder(conversation) then
    held[sender .. ' ' .. id], anyHeld = true, true
    return 'lookup'
  end
  if anyHeld and held[sender .. ' ' .. id] then return 'held' end
  if is == 'former' then return 'not_found' end

  local prev, route = conversation.prev or conversation.seq, ''
  local seq = conversation.seq + 1
  local wrote = conversation.wrote
  if wrote ~= '12' and conversation.users ~= '-' then wrote = writers(conversation, sender) end
  if wrote == conversation.wrote then
    call('HSET', conversation.key, 'seq', seq)
  else
    call('HSET', conversation.key, 'seq', seq, 'wrote', wrote)
    conversation.wrote = wrote
  end
  if conversation.manyMembers or conversation.large then
    prev, route, conversation.large = chooseWay(conversation.key, conversation.large,
      conversation.manyMembers, prev, seq, now)
  end
  if conversation.prev then
    call('HDEL', conversation.key, 'prev')
    conversation.prev = false
  end
  conversation.seq = seq
  local seqText = string.format('%.0f', seq)
  local streamId, time = appendMessage(messages, now, '1 message ' .. id .. ' ' .. seqText .. ' ' .. prev
    .. ' ' .. conversation.version .. ' ' .. sender .. ' ' .. device .. ' ' .. class
    .. ' ' .. conversation.users .. ' -' .. route, tail, gateway)
  appended = appended + 1
  local answer = seqText .. ' ' .. streamId .. time
  call('HSET', pool.current .. hash, field, fingerprint .. ' ' .. answer)
  return 'accepted ' .. answer
end

for i = 0, sends - 1 do
  local at = leading + i * 10
  replies[i + 1] = accept(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6],
    ARGV[at + 7], ARGV[at + 8], tonumber(ARGV[at + 9]), ARGV[at + 10], waiting[i + 1])
end
replies[sends + 1] = tostring(math.max(0, tonumber(state[4] or 0) + appended - tonumber(state[8] or 0)))
if appended > 0 then
  call('HINCRBY', slot, 'appended', appended)
  replies[sends + 2] = countSentPool(pool, slot, ARGV[5], tonumber(ARGV[6]))
else
  replies[sends + 2] = pool.isNew and '' or pool.mark
end
return replies
