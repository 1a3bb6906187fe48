-- Reads in one step what an opening judges Redis by.
--
-- KEYS
--   1  deployment
--   2  reports
--   3… two per partition: slot, messages; then one per inbox shard: slot
-- ARGV
--   1  partitions
-- Replies: {fields and values of the deployment, processes and their reports, one per slot in the order of the keys:
--   {epoch or '', mark, last stream id, '' = the stream is gone; only of partitions, number of its opening,
--   id of the last entry that was trimmed, '' = none}}
local partitions = tonumber(ARGV[1])
local slots = {}
local function read(slot, messages)
  local fields = redis.call('HMGET', slot, 'epoch', 'mark', 'gate', 'trimmed')
  local last = ''
  if messages and redis.call('EXISTS', messages) == 1 then
    local info = redis.call('XINFO', 'STREAM', messages)
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
  end
  slots[#slots + 1] = {fields[1] or '', fields[2] or '0', last, fields[3] or '0', fields[4] or ''}
end
for i = 0, partitions - 1 do read(KEYS[3 + 2 * i], KEYS[4 + 2 * i]) end
for i = 3 + 2 * partitions, #KEYS do read(KEYS[i]) end
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), slots}
