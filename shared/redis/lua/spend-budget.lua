-- @include slot-open
-- Takes one unit from a user's budget that counts across all gateways: a leaky bucket, stored as the moment at which it
-- is empty.
--
-- KEYS
--   1  slot of the shard
--   2  budget
-- ARGV
--   1  units that fit at once
--   2  period after which the same number fits again (ms)
-- Replies: closed; 0 if a unit was taken, otherwise the ms after which there is room for one
-- Each repetition takes another unit; the wait never exceeds a period. No epoch is checked: after a loss buckets are
-- empty.
--
-- Uses Redis' time, which may jump. A moment more than a period away was left by a clock that was ahead. It counts as a
-- bucket that is full now and is rewritten as such, so nobody is refused for longer than the period. The key expires
-- when the bucket is empty.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local most, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function keep(moment)
  local expiryMs = string.format('%.0f', math.max(1, math.ceil(moment - now)))
  redis.call('SET', KEYS[2], string.format('%.3f', moment), 'PX', expiryMs)
end

local moment = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
local ahead = moment > now + period + 1
if ahead then moment = now + period end
local wait = moment + period / most - period - now
if wait <= 0.01 then
  keep(moment + period / most)
  return 0
end
if ahead then keep(moment) end
return math.ceil(wait)
