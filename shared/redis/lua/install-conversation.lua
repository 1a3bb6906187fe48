-- Brings a conversation that Redis cannot vouch for back from history. Numbers that may have been given and then lost are
-- never given again: the seq jumps above everything known, the void range is recorded and goes to the history as well.
--
-- KEYS[1] slot of the partition   KEYS[2] messages   KEYS[3] conversation   KEYS[4] members
-- ARGV[1] conversation   ARGV[2] kind   ARGV[3] name   ARGV[4] createdAt (ms, 0 = now)   ARGV[5] service (0|1)   ARGV[6] users ('' = none)
-- ARGV[7] version in history (0: history does not know it)   ARGV[8] last seq in history   ARGV[9] skips in history ("from-to,…")
-- ARGV[10] seqs to jump   ARGV[11] historyDays ('' = none)   ARGV[12..] user, spans of every member in history
-- Replies: closed | present | installed
-- Safe to repeat and to race: only the first call in an epoch installs.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, kind, name, createdAt, service, users = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local storedVersion, storedSeq, skips, jump = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local historyDays = ARGV[11]

local epoch = redis.call('HGET', slot, 'epoch')
if not epoch then return 'closed' end
local found = redis.call('HMGET', conversation, 'epoch', 'seq', 'version', 'name', 'skips', 'historyDays')
if found[1] == epoch then return 'present' end

local version = storedVersion
if found[1] then
  version = math.max(version, tonumber(found[3]))
  if tonumber(found[3]) >= storedVersion then name, historyDays = found[4] or '', found[6] or '' end
  if found[5] and #found[5] > #skips then skips = found[5] end
end
if not found[1] or tonumber(found[3]) < storedVersion then
  for i = 12, #ARGV, 2 do redis.call('HSET', members, ARGV[i], ARGV[i + 1]) end
end
local last = math.max(storedSeq, tonumber(found[2] or 0))
local from, to = string.format('%.0f', last + 1), string.format('%.0f', last + jump)
skips = (skips ~= '' and skips .. ',' or '') .. from .. '-' .. to
if createdAt == '0' then
  local time = redis.call('TIME')
  createdAt = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
redis.call('HSET', conversation, 'epoch', epoch, 'seq', to, 'prev', 0, 'version', math.max(version, 1), 'kind', kind, 'name', name,
  'createdAt', createdAt, 'service', service, 'skips', skips)
if historyDays ~= '' then redis.call('HSET', conversation, 'historyDays', historyDays) else redis.call('HDEL', conversation, 'historyDays') end
-- The next message finds out again whether the group is large, and tells every member.
redis.call('HDEL', conversation, 'large', 'at')
if users ~= '' then
  redis.call('HSET', conversation, 'users', users)
else
  local count = 0
  for _, spans in ipairs(redis.call('HVALS', members)) do
    if string.sub(spans, -1) == '-' then count = count + 1 end
  end
  redis.call('HSET', conversation, 'count', count)
end
local appended = 1
if storedVersion == 0 then
  redis.call('XADD', messages, '*', 'r', '1 created ' .. id .. ' ' .. createdAt .. ' ' .. service .. ' 1 ' .. (users ~= '' and users or '-'), 't', '{"name":null,"members":[]}')
  appended = 2
end
redis.call('XADD', messages, '*', 'r', '1 skipped ' .. id .. ' ' .. from .. ' ' .. to, 't', '{}')
redis.call('HINCRBY', slot, 'appended', appended)
return 'installed'
