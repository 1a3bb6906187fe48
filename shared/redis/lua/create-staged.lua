-- @include slot-state
-- Creates a group whose members were put aside before (stage-members.lua), all of it in this step. Its members see it from its
-- first message on: after a loss that is above the seqs that are skipped. No message is made; one entry `founded` tells the inboxes and the history, which read the members where they stand.
--
-- KEYS[1] slot of the partition   KEYS[2] messages   KEYS[3] conversation   KEYS[4] members   KEYS[5] staged
-- ARGV[1] id   ARGV[2] service (0|1)   ARGV[3] name ('' = none)   ARGV[4] most members of a group with inbox entries
-- ARGV[5] `unknown` when history was asked and does not know the id, else ''   ARGV[6] seqs and versions to skip for each loss in that case
-- ARGV[7] most unsettled entries   ARGV[8] number of members   ARGV[9] the seq from which on those put aside see it ('' = none are yet)
-- ARGV[10] the entry's rest (JSON)
-- Replies: closed | full | load | exists | unstaged <seq> (not all members are put aside to see it from this seq on) | created <createdAt>
-- Safe to repeat: the second call answers `exists`.
local slot, messages, conversation, members, staged = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, service, name, mostInInboxes, history, skip = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local count = tonumber(ARGV[8])

local state, refusal = slotState(slot, 2, tonumber(ARGV[7]))
if refusal == 'closed' then return refusal end
local epoch = state[1]
local found = redis.call('HGET', conversation, 'epoch')
if found == epoch then return 'exists' end
if found or (state[2] ~= '1' and history ~= 'unknown') then return 'load' end
if refusal then return refusal end
local seq = state[2] == '1' and 0 or skip * tonumber(redis.call('HGET', slot, 'generation'))
local joined = string.format('%.0f', seq)
if ARGV[9] ~= joined or redis.call('HLEN', staged) ~= count then return 'unstaged ' .. joined end

-- Versions as well: a group that was lost may have had this id (create-conversation.lua).
local version = string.format('%.0f', seq + 1)
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', conversation, 'epoch', epoch, 'seq', seq, 'version', version, 'kind', 'group', 'name', name, 'createdAt', now, 'service', service, 'count', count)
local large = count > mostInInboxes
if large then redis.call('HSET', conversation, 'large', 0, 'at', now) end
-- Else the name would have to be freed by the renaming, which takes as long as what is there is large. The renaming
-- takes the expiry along.
redis.call('UNLINK', members)
redis.call('RENAME', staged, members)
redis.call('PERSIST', members)
redis.call('XADD', messages, '*', 'r', '1 founded ' .. id .. ' ' .. now .. ' ' .. service .. ' ' .. version .. ' ' .. (large and 'large' or 'inboxes') .. ' ' .. joined, 't', ARGV[10])
local appended = 1
if seq > 0 then
  redis.call('HSET', conversation, 'prev', 0, 'skips', '1-' .. joined)
  redis.call('XADD', messages, '*', 'r', '1 skipped ' .. id .. ' 1 ' .. joined, 't', '{}')
  appended = 2
end
redis.call('HINCRBY', slot, 'appended', appended)
return 'created ' .. now
