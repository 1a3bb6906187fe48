-- @include slot-open
-- Recovers entries that a foreign consumer took from a group and did not settle: the group's own consumer claims them.
-- Also removes foreign consumers that hold nothing.
--
-- A group has one consumer, named like the group. Nobody would handle entries of any other consumer, and everything
-- behind them would wait.
--
-- KEYS
--   1  slot of the partition
--   2  messages
-- ARGV
--   1  group
--   2  claim entries taken at least this long ago (ms)
--   3  remove consumers that have been silent longer than this (ms)
-- Replies:
--   {closed}
--   {entries claimed, consumers removed}; {0, 0} if the stream or group does not exist
-- Safe to repeat. A consumer is never removed while it holds entries: Redis would forget that they are unsettled.
local messages, group = KEYS[2], ARGV[1]
local takenMs, silentMs = tonumber(ARGV[2]), tonumber(ARGV[3])
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local consumers = redis.pcall('XINFO', 'CONSUMERS', messages, group)
if consumers.err then return {0, 0} end
local adopted, removed = 0, 0
for _, flat in ipairs(consumers) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer.name ~= group then
    local ids = {}
    local pending = redis.call('XPENDING', messages, group, 'IDLE', takenMs, '-', '+', 1000, consumer.name)
    for _, entry in ipairs(pending) do ids[#ids + 1] = entry[1] end
    if #ids > 0 then
      adopted = adopted + #redis.call('XCLAIM', messages, group, group, takenMs, unpack(ids, 1, #ids))
    end
    if consumer.pending == 0 and consumer.idle > silentMs then
      redis.call('XGROUP', 'DELCONSUMER', messages, group, consumer.name)
      removed = removed + 1
    end
  end
end
return {adopted, removed}
