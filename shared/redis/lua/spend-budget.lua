-- Takes one from a budget of a user that counts over all gateways: a leaky bucket, kept as the moment when it is empty.
--
-- KEYS[1] budget
-- ARGV[1] how many fit at once   ARGV[2] the period after which as many fit again (ms)
-- Replies: 0 (taken) | the ms after which there is room for one (nothing was taken)
-- Repeating it takes another one: never more than a period lasts. It asks for no epoch: after a loss buckets are empty.
--
-- By Redis' time, which may jump. A moment further away than a period is one that a clock ahead has left: it counts as a full bucket of
-- now, and is written down as that, so nobody is refused for longer than the period. The key expires when the bucket is empty.
local most, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000

local function keep(moment)
  redis.call('SET', KEYS[1], string.format('%.3f', moment), 'PX', string.format('%.0f', math.max(1, math.ceil(moment - now))))
end

local moment = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local ahead = moment > now + period + 1
if ahead then moment = now + period end
local wait = moment + period / most - period - now
if wait <= 0.01 then
  keep(moment + period / most)
  return 0
end
if ahead then keep(moment) end
return math.ceil(wait)
