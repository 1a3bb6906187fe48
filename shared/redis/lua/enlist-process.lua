-- Keeps a process on the roster of its group, by Redis' own clock.
--
-- KEYS
--   1  roster
-- ARGV
--   1  process
--   2  ms it stays (0 = leave now)
-- Replies: the number of processes on the roster
-- An entry that would stay a second longer than any process may is from before the clock went back. It is removed.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] ~= '0' then redis.call('ZREMRANGEBYSCORE', KEYS[1], string.format('(%.0f', now + ARGV[2] + 1000), '+inf') end
if ARGV[2] == '0' then redis.call('ZREM', KEYS[1], ARGV[1]) else redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
return redis.call('ZCARD', KEYS[1])
