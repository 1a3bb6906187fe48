-- @include slot-open
-- Notes how far members have received and read conversations of one partition, and what they have sent. All seqs only
-- rise, so a repeated or late call changes nothing.
--
-- A conversation's receipts are a hash: `epoch`; `r:<user>` is "<received seq> <read seq>"; `s:<user>` is the last seq
-- that the user sent. Those of an earlier line are above its numbering, so they are removed first.
--
-- Nothing is noted for whoever is no member now, nor in a conversation of more members than the maximum. Such a
-- conversation keeps its hash, which nobody reads, until it has shrunk.
--
-- KEYS
--   1  slot of the partition
-- ARGV
--   1  beginning of the partition's keys
--   2  maximum members
--   then for each conversation: conversation, number of users, and five per user: user, received seq, read seq, sent
--   seq (0 = nothing new), and who is known to have written lately: <sender>:<last seq>, joined by commas
-- Replies:
--   {closed}
--   {noted, one per user: `none` (nothing is kept), `same`, or "<received seq> <users> <read seq> <users>"}
--      received seq, read seq  `-` if it has not moved
--      users                   members to tell, joined by commas, `-` for nobody: the senders of something above the
--                              old seq, and of read also whoever has noted such a message; 20 of them at most
local base, most = ARGV[1], tonumber(ARGV[2])
local state = redis.call('HMGET', KEYS[1], 'line', 'open')
if not isOpen(state[2]) then return {'closed'} end
local line = state[1]
local mostTold = 20
local reply = {'noted'}

local function seqText(seq) return string.format('%.0f', seq) end

-- Removes what is kept of users who have left, where many have.
local function prune(receipts, members, kept)
  local users, stale = {}, {}
  for user in pairs(kept) do users[#users + 1] = user end
  if #users <= 2 * most + 20 then return end
  for _, user in ipairs(users) do
    local spans = redis.call('HGET', members, user)
    if not spans or string.byte(spans, -1) ~= 45 then
      stale[#stale + 1] = 'r:' .. user
      stale[#stale + 1] = 's:' .. user
    end
  end
  for i = 1, #stale, 100 do redis.call('HDEL', receipts, unpack(stale, i, math.min(i + 99, #stale))) end
end

-- What a conversation is: a test of who is a member, or nil if it has no receipts.
local function open(id)
  local found = redis.call('HMGET', base .. 'conversation:' .. id, 'epoch', 'seq', 'kind', 'users', 'count')
  if found[1] ~= line then return nil end
  local one = {last = tonumber(found[2]), receipts = base .. 'receipts:' .. id, direct = found[3] == 'direct'}
  if one.direct then
    if most < 2 then return nil end
    one.users = ',' .. found[4] .. ','
  elseif tonumber(found[5]) > most then
    return nil
  end
  one.members, one.known = base .. 'members:' .. id, {}
  return one
end

local function isMember(one, user)
  if one.direct then return string.find(one.users, ',' .. user .. ',', 1, true) ~= nil end
  local known = one.known[user]
  if known == nil then
    local spans = redis.call('HGET', one.members, user)
    known = spans and string.byte(spans, -1) == 45 or false
    one.known[user] = known
  end
  return known
end

-- The last seqs that users have sent, read once.
local function sentOf(one)
  if one.sent then return one.sent end
  one.sent = {}
  if one.direct then
    for user in string.gmatch(one.users, '[^,]+') do
      one.sent[user] = tonumber(redis.call('HGET', one.receipts, 's:' .. user) or nil)
    end
    return one.sent
  end
  local fields, kept = redis.call('HGETALL', one.receipts), {}
  for i = 1, #fields, 2 do
    local user = string.sub(fields[i], 3)
    if string.sub(fields[i], 1, 2) == 's:' then one.sent[user] = tonumber(fields[i + 1]) end
    if fields[i] ~= 'epoch' then kept[user] = true end
  end
  prune(one.receipts, one.members, kept)
  return one.sent
end

-- The senders of something above a seq, and with `noted` also those whose messages were noted: members, but not the
-- user itself.
local function toTell(one, user, senders, above, noted)
  local told, list = {[user] = true}, {}
  for sender, seq in string.gmatch(senders, '([^,:]+):(%d+)') do
    if #list == mostTold then break end
    if tonumber(seq) > above and not told[sender] and isMember(one, sender) then
      told[sender] = true
      list[#list + 1] = sender
    end
  end
  if noted then
    local newest = {}
    for sender, seq in pairs(sentOf(one)) do
      if seq > above and not told[sender] then newest[#newest + 1] = {user = sender, seq = seq} end
    end
    table.sort(newest, function(a, b) return a.seq > b.seq end)
    for _, found in ipairs(newest) do
      if #list == mostTold then break end
      if isMember(one, found.user) then list[#list + 1] = found.user end
    end
  end
  return #list == 0 and '-' or table.concat(list, ',')
end

local function note(one, user, received, read, sent, senders)
  if not isMember(one, user) then return 'none' end
  if not one.isCurrent then
    if redis.call('HGET', one.receipts, 'epoch') ~= line then
      redis.call('DEL', one.receipts)
      redis.call('HSET', one.receipts, 'epoch', line)
    end
    one.isCurrent = true
  end
  local fields = {}
  local kept = redis.call('HMGET', one.receipts, 'r:' .. user, 's:' .. user)
  local oldReceived, oldRead = string.match(kept[1] or '0 0', '^(%d+) (%d+)$')
  oldReceived, oldRead = tonumber(oldReceived), tonumber(oldRead)
  read = math.max(oldRead, math.min(read, one.last))
  received = math.max(oldReceived, math.min(received, one.last))
  local isReceived, isRead = received > oldReceived, read > oldRead
  if isReceived or isRead then
    fields[1], fields[2] = 'r:' .. user, seqText(math.max(received, read)) .. ' ' .. seqText(read)
  end
  sent = math.min(sent, one.last)
  if sent > tonumber(kept[2] or 0) then
    fields[#fields + 1] = 's:' .. user
    fields[#fields + 1] = seqText(sent)
    if one.sent then one.sent[user] = sent end
  end
  if #fields == 0 then return 'same' end
  redis.call('HSET', one.receipts, unpack(fields))
  if not isReceived and not isRead then return 'same' end
  return (isReceived and seqText(received) .. ' ' .. toTell(one, user, senders, oldReceived, false) or '- -')
    .. ' ' .. (isRead and seqText(read) .. ' ' .. toTell(one, user, senders, oldRead, true) or '- -')
end

local at = 3
while at <= #ARGV do
  local one, users = open(ARGV[at]), tonumber(ARGV[at + 1])
  at = at + 2
  for _ = 1, users do
    reply[#reply + 1] = one
      and note(one, ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), ARGV[at + 4])
      or 'none'
    at = at + 5
  end
end
return reply
