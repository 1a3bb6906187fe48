-- @include sent-pool
-- @include slot-open
-- Puts a message that was accepted before into the pool of known clientIds, unless the pool knows another one of its
-- sender, conversation and clientId. From then on a repeated send gets its answer.
--
-- KEYS
--   1  slot of the partition
-- ARGV
--   1  beginning of the partition's keys
--   2  how long a clientId is remembered (ms)
--   3  conversation
--   4  sender
--   5  clientId
--   6  "<fingerprint> <seq> <stream id> [at]"
-- Replies:
--   closed
--   <fingerprint> <seq> <stream id> [at]  what the pool has now
-- Safe to repeat: an existing entry stays.
local slot, sender = KEYS[1], ARGV[4]
local state = redis.call('HMGET', slot, 'line', 'complete', 'since', 'sent', 'bucket', 'open')
if not isOpen(state[6]) then return 'closed' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local pool = openSentPool(ARGV[1], tonumber(ARGV[2]), now, state[1], state[2], tonumber(state[3]), state[4], state[5])
local hash, field = sentHash(sender), sender .. ' ' .. ARGV[3] .. ' ' .. ARGV[5]
local found = findSent(pool, hash, field)
if found then return found end
redis.call('HSET', pool.current .. hash, field, ARGV[6])
countSentPool(pool, slot, '', 0)
return ARGV[6]
