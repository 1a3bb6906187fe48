-- @include sent-pool
-- @include slot-open
-- After a loss of Redis: refills the pool of known clientIds with the last sends of a conversation, as history has
-- them. Called before the conversation is installed, so before any send to it is accepted.
--
-- KEYS
--   1  slot of the partition
-- ARGV
--   1  beginning of the partition's keys
--   2  how long a clientId is remembered (ms)
--   3  conversation
--   4… three per message: sender, clientId, "<fingerprint> <seq> <stream id> [at]"; none to ask what is needed
-- Replies:
--   closed
--   known        the pool needs nothing: there was no loss, or its memory is long enough by now
--   since <ms>   the pool needs messages accepted at that time or later; those given are stored
-- Safe to repeat: existing entries stay.
local slot, base, dedupeMs, conversation = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]

local state = redis.call('HMGET', slot, 'line', 'complete', 'since', 'sent', 'bucket', 'open')
if not isOpen(state[6]) then return 'closed' end
local time = redis.call('TIME')
local since = tonumber(state[3])
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pool = openSentPool(base, dedupeMs, now, state[1], state[2], since, state[4], state[5])
if pool.first ~= pool.part then return 'known' end
for i = 4, #ARGV, 3 do
  local field = ARGV[i] .. ' ' .. conversation .. ' ' .. ARGV[i + 1]
  redis.call('HSETNX', pool.current .. sentHash(ARGV[i]), field, ARGV[i + 2])
end
if #ARGV > 3 then countSentPool(pool, slot, '', 0) end
return string.format('since %.0f', since - dedupeMs - clockSkew)
