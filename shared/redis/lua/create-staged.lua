-- @include consumer-groups
-- @include slot-open
-- @include slot-state
-- Creates a group from members that were staged before (stage-members.lua), all in this step.
--
-- Founding members see the group from its first message on; after a loss that is above the skipped seqs. No message is
-- made: one entry `founded` tells the inboxes and history, which read the members from the group itself.
--
-- KEYS
--   1  slot of the partition
--   2  messages
--   3  conversation
--   4  members
--   5  staged
-- ARGV
--   1  id
--   2  service (0|1)
--   3  name ('' = none)
--   4  maximum members of a group whose messages have inbox entries
--   5  `unknown` if history was asked and does not know the id, otherwise ''
--   6  seqs and versions to skip per loss in that case
--   7  maximum unsettled entries
--   8  number of members
--   9  the seq from which on the staged members see the group ('' = none are staged yet)
--   10 rest of the entry (JSON)
--   11 the user who creates it ('' = a back end does)
-- Replies:
--   closed | full | load
--   exists
--   unstaged <seq>        not all members are staged to see the group from this seq on
--   created <createdAt> <stream id of the last entry>
-- Safe to repeat: the second call replies `exists`.
local slot, messages, conversation, members, staged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, service, name, mostInInboxes = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local history, skip = ARGV[5], tonumber(ARGV[6])
local count = tonumber(ARGV[8])

local state, refusal = slotState(slot, 2, tonumber(ARGV[7]))
if refusal == 'closed' then return refusal end
local line = state[1]
local found = redis.call('HGET', conversation, 'epoch')
if found == line then return 'exists' end
if found or (state[2] ~= '1' and history ~= 'unknown') then return 'load' end
if refusal then return refusal end
local seq = state[2] == '1' and 0 or skip * tonumber(redis.call('HGET', slot, 'generation'))
local joined = string.format('%.0f', seq)
if ARGV[9] ~= joined or redis.call('HLEN', staged) ~= count then return 'unstaged ' .. joined end

-- Skip versions as well: a lost group may have had this id (create-conversation.lua).
local version = string.format('%.0f', seq + 1)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', conversation, 'epoch', line, 'seq', seq, 'version', version, 'kind', 'group', 'name', name,
  'createdAt', now, 'service', service, 'count', count)
if ARGV[11] ~= '' then redis.call('HSET', conversation, 'creator', ARGV[11]) end
local large = count > mostInInboxes
if large then redis.call('HSET', conversation, 'large', 0, 'at', now) end
-- RENAME would free the old members itself, and block for as long as they are many. It keeps the expiry, hence
-- PERSIST.
redis.call('UNLINK', members)
redis.call('RENAME', staged, members)
redis.call('PERSIST', members)
local streamId = redis.call('XADD', messages, '*',
  'r', '1 founded ' .. id .. ' ' .. now .. ' ' .. service .. ' ' .. version
    .. ' ' .. (large and 'large' or 'inboxes') .. ' ' .. joined,
  't', ARGV[10])
local appended = 1
if seq > 0 then
  redis.call('HSET', conversation, 'prev', 0, 'skips', '1-' .. joined)
  streamId = redis.call('XADD', messages, '*', 'r', '1 skipped ' .. id .. ' 1 ' .. joined, 't', '{}')
  appended = 2
end
redis.call('HINCRBY', slot, 'appended', appended)
return 'created ' .. now .. ' ' .. streamId
