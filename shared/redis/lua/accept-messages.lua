-- @include choose-way
-- @include slot-state
-- Accepts sends into one partition: dedupe, membership, seq and append are one decision for each, in the order given.
--
-- KEYS[1] slot of the partition   KEYS[2] messages (stream)
-- ARGV[1] what the partition's keys begin with   ARGV[2] dedupe bucket (ms)   ARGV[3] most unsettled entries
-- ARGV[4] most members of a group with inbox entries   ARGV[5..] ten for each send:
--   conversation, sender, clientId, fingerprint, way, users, device, class, made, tail
--   way: `direct` (users are the two, who need no conversation to exist), `member` (the sender's span must be open),
--        `service` (no membership asked); made: time in a UUIDv7 clientId (ms), 0 when there is none or history was searched
-- Replies `closed` (the slot was never opened, or was wiped) or `full` as the whole answer, nothing accepted; else one for each send:
--   accepted <seq> <streamId> | duplicate <seq> <streamId> | conflict | not_found
--   load      Redis cannot vouch for the conversation: load it from history, then ask again
--   lookup    the clientId is older than the pool of known ones: search the history, then ask again with made = 0
--   held      an earlier send of this call to the same conversation waits for a load or lookup: ask again after it
-- and, last of all, how many entries the group `inbox` has not settled.
--
-- Safe to repeat: a repeated send finds its first answer. Every refusal comes before the first write of that send; the
-- first write of a call can only fail as a whole (memory, disk), so an error reply means that nothing was accepted.
local slot, messages = KEYS[1], KEYS[2]
local base, bucketMs, mostUnsettled, mostInInboxes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local sends = (#ARGV - 4) / 10

local state, refusal = slotState(slot, sends, mostUnsettled)
if refusal then return {refusal} end
local epoch, complete, since = state[1], state[2], tonumber(state[3])

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local bucket = math.floor(now / bucketMs)
local poolSince = math.max((bucket - 1) * bucketMs, since)
local sentNow, sentBefore = base .. 'sent:' .. bucket .. ':', base .. 'sent:' .. (bucket - 1) .. ':'

-- The pool of known clientIds: for each time bucket a few hashes by sender. Entering a bucket drops those that are too old, so
-- that no entry needs an expiry of its own.
local poolHashes = 32
local function poolHash(sender)
  return (string.byte(sender, 1) * 7 + string.byte(sender, -1) * 3 + #sender) % poolHashes
end
local function enterBucket()
  local last = tonumber(state[7] or bucket)
  for old = last - 1, math.min(last, bucket - 2) do
    local keys = {}
    for i = 0, poolHashes - 1 do keys[i + 1] = base .. 'sent:' .. old .. ':' .. i end
    redis.call('UNLINK', unpack(keys))
  end
  redis.call('HSET', slot, 'bucket', bucket)
end

local replies, known, held, appended = {}, {}, {}, 0

local function conversationState(id, way, users)
  local found = known[id]
  if found then return found end
  local key = base .. 'conversation:' .. id
  local fields = redis.call('HMGET', key, 'epoch', 'seq', 'prev', 'version', 'users', 'count', 'large')
  if fields[1] ~= epoch then
    if fields[1] or complete ~= '1' then return 'load' end
    if way ~= 'direct' then return 'not_found' end
    redis.call('HSET', key, 'epoch', epoch, 'seq', 0, 'version', 1, 'kind', 'direct', 'createdAt', now, 'service', 0, 'users', users)
    redis.call('XADD', messages, '*', 'r', '1 created ' .. id .. ' ' .. now .. ' 0 1 ' .. users, 't', '{"name":null,"members":[]}')
    appended = appended + 1
    fields = {epoch, '0', false, '1', users}
  end
  found = {key = key, seq = tonumber(fields[2]), prev = fields[3], version = fields[4], users = fields[5] or '-',
    manyMembers = fields[6] and tonumber(fields[6]) > mostInInboxes, large = fields[7]}
  known[id] = found
  return found
end

local function isMember(conversation, id, sender)
  if conversation.users ~= '-' then
    local comma = string.find(conversation.users, ',', 1, true)
    return string.sub(conversation.users, 1, comma - 1) == sender or string.sub(conversation.users, comma + 1) == sender
  end
  local spans = redis.call('HGET', base .. 'members:' .. id, sender)
  return spans and string.sub(spans, -1) == '-'
end

local function accept(id, sender, clientId, fingerprint, way, users, device, class, made, tail)
  local field = sender .. ' ' .. id .. ' ' .. clientId
  local hash = poolHash(sender)
  local key = sentNow .. hash
  local first = redis.call('HGET', key, field) or redis.call('HGET', sentBefore .. hash, field)
  if first then
    local space = string.find(first, ' ', 1, true)
    if string.sub(first, 1, space - 1) ~= fingerprint then return 'conflict' end
    return 'duplicate ' .. string.sub(first, space + 1)
  end
  if held[id] then return 'held' end
  if made > 0 and made < poolSince then
    held[id] = true
    return 'lookup'
  end
  local conversation = conversationState(id, way, users)
  if conversation == 'load' then held[id] = true end
  if type(conversation) == 'string' then return conversation end
  if way == 'member' and not isMember(conversation, id, sender) then return 'not_found' end

  local prev, way = conversation.prev or conversation.seq, ''
  local seq = conversation.seq + 1
  redis.call('HSET', conversation.key, 'seq', seq)
  if conversation.manyMembers or conversation.large then
    prev, way, conversation.large = chooseWay(conversation.key, conversation.large, conversation.manyMembers, prev, seq, now)
  end
  if conversation.prev then
    redis.call('HDEL', conversation.key, 'prev')
    conversation.prev = false
  end
  conversation.seq = seq
  local seqText = string.format('%.0f', seq)
  local streamId = redis.call('XADD', messages, '*', 'r', '1 message ' .. id .. ' ' .. seqText .. ' ' .. prev .. ' ' .. conversation.version
    .. ' ' .. sender .. ' ' .. device .. ' ' .. class .. ' ' .. conversation.users .. ' -' .. way, 't', tail)
  appended = appended + 1
  local answer = seqText .. ' ' .. streamId
  redis.call('HSET', key, field, fingerprint .. ' ' .. answer)
  return 'accepted ' .. answer
end

for i = 0, sends - 1 do
  local at = 4 + i * 10
  replies[i + 1] = accept(ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6],
    ARGV[at + 7], ARGV[at + 8], tonumber(ARGV[at + 9]), ARGV[at + 10])
end
if appended > 0 then
  redis.call('HINCRBY', slot, 'appended', appended)
  if state[7] ~= tostring(bucket) then enterBucket() end
end
replies[sends + 1] = tostring(math.max(0, tonumber(state[4] or 0) + appended - tonumber(state[5] or 0)))
return replies
