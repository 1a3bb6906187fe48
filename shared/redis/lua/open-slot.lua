-- Opens the group of keys of one slot for an epoch. What was opened for this epoch before stays as it is.
--
-- KEYS[1] slot   KEYS[2] messages, for a partition's slot only
-- ARGV[1] epoch   ARGV[2] generation   ARGV[3] complete (1: everything that ever existed here is here)
-- Replies: opened | open
local slot, messages = KEYS[1], KEYS[2]
if redis.call('HGET', slot, 'epoch') == ARGV[1] then return 'open' end
local time = redis.call('TIME')
redis.call('HSET', slot, 'epoch', ARGV[1], 'generation', ARGV[2], 'complete', ARGV[3],
  'since', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
if messages then
  for _, group in ipairs({'inbox', 'history'}) do
    redis.pcall('XGROUP', 'CREATE', messages, group, '0', 'MKSTREAM')
  end
end
return 'opened'
