-- Gives entries that a stranger has taken out of a group, and not settled, to the group's own consumer; removes strangers who hold nothing.
-- A group has one consumer, named as the group: what another one holds would be handled by nobody, and everything behind it would wait.
--
-- KEYS[1] messages
-- ARGV[1] group   ARGV[2] entries taken this long ago are given back (ms)   ARGV[3] strangers silent for so long are removed (ms)
-- Replies: {entries given back, consumers removed}; {0, 0} where there is no such stream or group
-- Safe to repeat. A consumer is never removed with entries: Redis would forget that they are unsettled.
local messages, group = KEYS[1], ARGV[1]
local takenMs, silentMs = tonumber(ARGV[2]), tonumber(ARGV[3])
local consumers = redis.pcall('XINFO', 'CONSUMERS', messages, group)
if consumers.err then return {0, 0} end
local adopted, removed = 0, 0
for _, flat in ipairs(consumers) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer.name ~= group then
    local ids = {}
    for _, entry in ipairs(redis.call('XPENDING', messages, group, 'IDLE', takenMs, '-', '+', 1000, consumer.name)) do ids[#ids + 1] = entry[1] end
    if #ids > 0 then adopted = adopted + #redis.call('XCLAIM', messages, group, group, takenMs, unpack(ids, 1, #ids)) end
    if consumer.pending == 0 and consumer.idle > silentMs then
      redis.call('XGROUP', 'DELCONSUMER', messages, group, consumer.name)
      removed = removed + 1
    end
  end
end
return {adopted, removed}
