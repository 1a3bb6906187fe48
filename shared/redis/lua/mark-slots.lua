-- Leaves a mark in every slot, for a process that leaves or has died. History then keeps the marks: a Redis in which
-- one is missing has lost state.
--
-- KEYS
--   1  deployment
--   2… slots
-- ARGV
--   1  run id of Redis
-- Replies: {mark of each slot, in the order of the keys}; {} if the slots are not open for that run
-- Not repeatable, but harmless: a mark more means nothing by itself.
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return {} end
local marks = {}
for i = 2, #KEYS do marks[#marks + 1] = redis.call('HINCRBY', KEYS[i], 'mark', 1) end
return marks
