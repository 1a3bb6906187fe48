-- @include sent-pool
-- After a loss of Redis: puts what history holds of a conversation's last sends into the pool of known clientIds. Called before the
-- conversation is installed, so before any send to it is accepted.
--
-- KEYS[1] slot of the partition
-- ARGV[1] what the partition's keys begin with   ARGV[2] for how long a clientId is known (ms)   ARGV[3] conversation
-- ARGV[4..] three for each message: sender, clientId, "<fingerprint> <seq> <stream id> [at]"; none to ask what is needed
-- Replies: closed | known (the pool needs nothing: no loss, or it knows long enough by now) |
--   since <ms> (it needs what was accepted at that time or later; what was given is in it)
-- Safe to repeat: what is there stays.
local slot, base, dedupeMs, conversation = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]

local state = redis.call('HMGET', slot, 'epoch', 'complete', 'since', 'sent', 'bucket')
if not state[1] then return 'closed' end
local time = redis.call('TIME')
local since = tonumber(state[3])
local pool = openSentPool(base, dedupeMs, time[1] * 1000 + math.floor(time[2] / 1000), state[1], state[2], since, state[4], state[5])
if pool.first ~= pool.part then return 'known' end
for i = 4, #ARGV, 3 do
  redis.call('HSETNX', pool.current .. sentHash(ARGV[i]), ARGV[i] .. ' ' .. conversation .. ' ' .. ARGV[i + 1], ARGV[i + 2])
end
if #ARGV > 3 then countSentPool(pool, slot, '', 0) end
return string.format('since %.0f', since - dedupeMs - clockSkew)
