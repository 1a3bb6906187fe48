-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- Creates a group small enough for one step, or compares it with the existing group of this id. Larger groups:
-- create-staged.lua.
--
-- Founding members see the group from its first message on; after a loss that is above the skipped seqs. No message is
-- made: an entry `created` tells the inboxes and history.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
-- ARGV
--   1  id
--   2  service (0|1)
--   3  name ('' = none)
--   4  maximum members of a group whose messages have inbox entries
--   5  `unknown` if history was asked and does not know the id, otherwise ''
--   6  seqs and versions to skip per loss in that case
--   7  maximum unsettled entries
--   8  rest of the entry (JSON)
--   9  the user who creates it ('' = a back end does)
--   10… all members
-- Replies:
--   closed | full | load | same | different
--   created <createdAt> <stream id of the last entry>
-- Safe to repeat: the second call replies `same`.
local slot, messages, conversation, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, service, name, mostInInboxes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local history, skip = ARGV[5], tonumber(ARGV[6])
local mostUnsettled, rest = tonumber(ARGV[7]), ARGV[8]
local first, count = 10, #ARGV - 9

local state, refusal = slotState(slot, 2, mostUnsettled)
if refusal == 'closed' then return refusal end
local line = state[1]
local found = redis.call('HGET', conversation, 'epoch')
if found == line then
  if tonumber(redis.call('HGET', conversation, 'count')) ~= count then return 'different' end
  for i = first, #ARGV do
    local spans = redis.call('HGET', members, ARGV[i])
    if not spans or string.sub(spans, -1) ~= '-' then return 'different' end
  end
  return 'same'
end
if found or (state[2] ~= '1' and history ~= 'unknown') then return 'load' end
if refusal then return refusal end

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local seq = state[2] == '1' and 0 or skip * tonumber(redis.call('HGET', slot, 'generation'))
-- Skip versions as well: a lost group may have had this id, and caches may still hold its members by version.
local version = string.format('%.0f', seq + 1)
redis.call('HSET', conversation, 'epoch', line, 'seq', seq, 'version', version, 'kind', 'group', 'name', name,
  'createdAt', now, 'service', service, 'count', count)
if ARGV[9] ~= '' then redis.call('HSET', conversation, 'creator', ARGV[9]) end
local large = count > mostInInboxes
if large then redis.call('HSET', conversation, 'large', 0, 'at', now) end
local joined = string.format('%.0f', seq)
for i = first, #ARGV do redis.call('HSET', members, ARGV[i], joined .. '-') end
local streamId = redis.call('XADD', messages, '*',
  'r', '1 created ' .. id .. ' ' .. now .. ' ' .. service .. ' ' .. version .. ' -' .. (large and ' large' or ''),
  't', seq > 0 and '{"joined":' .. joined .. ',' .. string.sub(rest, 2) or rest)
local appended = 1
if seq > 0 then
  redis.call('HSET', conversation, 'prev', 0, 'skips', '1-' .. joined)
  streamId = redis.call('XADD', messages, '*', 'r', '1 skipped ' .. id .. ' 1 ' .. joined, 't', '{}')
  appended = 2
end
redis.call('HINCRBY', slot, 'appended', appended)
return 'created ' .. now .. ' ' .. streamId
