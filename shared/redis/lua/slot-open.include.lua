-- For every script on the slot of a partition or of an inbox shard. A slot is open for one run of Redis: its field
-- `open` is the id of that run. The last key of each call is the fence, `<base>fence:<run id>`. It names the run of the
-- connection that the call was sent through (scripts.ts). So a call does nothing in a Redis that came back in another
-- state and was not compared with history yet, nor one that was made for a former run.
--
-- The fence is a key that never exists. On a cluster it also makes Redis refuse every call while the slot is moved key
-- by key. A run id has 40 characters.
-- Returns whether the slot is open for this call. `open` is the slot's field, which the caller reads with its others.
local function isOpen(open) return string.sub(KEYS[#KEYS], -40) == open end
