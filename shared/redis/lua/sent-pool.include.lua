-- Included where something that a client names by a clientId must be done once: the partition's pool of known clientIds.
--
-- The pool is a row of numbered parts, of which two are kept: the one that is written to, and the one before it. A part is written to for
-- DEDUPE_MINUTES, so an entry stands for at least that long and at most about twice as long; the turn to the next part drops the one two
-- back. No entry has an expiry of its own, and nothing is ever dropped by an expiry, which goes by the clock of Redis.
--   <base>sent:<part>:<0-31>, by sender    "<sender> <conversation> <clientId>" -> "<fingerprint> <seq> <stream id> [at]"
-- The slot's field `sent` says where the pool stands: "<part> <first> <mark> <spent> <before> <epoch>"
--   first    the part in which the epoch began after a loss: while it is written to, whoever loads a conversation refills the pool (0 = none)
--   mark     names the moment up to which the part's time is counted   spent    for how long it was written to (ms)
--   before   for how long before it the pool knows everything (ms)
--
-- How long a part was written to is counted by what callers witness, never read off a clock. The clock of Redis may be set at any moment,
-- and to a script a leap of three hours looks like three hours without traffic: so a pool that goes by it either drops what is still
-- promised or never drops anything. A gateway has a clock that only runs: it hears the mark with an answer, and its later calls say for
-- how long it has known it. That is never longer than the mark has stood, so a part never counts more time than has passed, whatever clocks
-- show. Only the mark that stands now is a witness: what others have seen since an older one may be counted already. A pause is counted
-- by the first call after it of a gateway that was there before; one that has just come witnesses nothing, and parts stand longer.
-- Checked with an explicit-state model (test/model/sent-pool.test.ts).
--
-- Version 0.1.0 named its parts by the clock and their newest by the field `bucket`. They are looked into as well, until both parts of now
-- were begun by this version.
local sentHashes = 32
-- A clientId may have been made this much ahead of the server's clock (ms).
local clockSkew = 300000

-- Where the pool stands. Reads nothing: the caller has read the slot's fields.
local function openSentPool(base, dedupeMs, now, epoch, complete, since, stored, bucket)
  local part, first, mark, spent, before, of = string.match(stored or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (.+)$')
  local pool = {base = base, dedupeMs = dedupeMs, now = now, epoch = epoch, isNew = of ~= epoch, bucket = tonumber(bucket)}
  pool.part = tonumber(part) or 1
  if not pool.isNew then
    pool.first, pool.mark, pool.spent, pool.before = tonumber(first), mark, tonumber(spent), tonumber(before)
  else
    pool.first, pool.mark, pool.spent = 0, string.format('%.0f', now), 0
    local older = pool.bucket and (pool.bucket - 1) * dedupeMs
    if complete == '1' then
      pool.before = math.max(0, now - (older or 0))
    elseif older and older > since then
      pool.before = math.max(0, now - older)
    else
      pool.first, pool.before = pool.part, dedupeMs + clockSkew
    end
  end
  pool.current = base .. 'sent:' .. pool.part .. ':'
  pool.previous = pool.part > 1 and base .. 'sent:' .. (pool.part - 1) .. ':'
  return pool
end

local function sentHash(sender)
  return (string.byte(sender, 1) * 7 + string.byte(sender, -1) * 3 + #sender) % sentHashes
end

-- The entry of a field in the hash of its sender, false where there is none.
local call = redis.call
local function findSent(pool, hash, field)
  local previous, bucket = pool.previous, pool.bucket
  return call('HGET', pool.current .. hash, field) or (previous and call('HGET', previous .. hash, field))
    or (bucket and (call('HGET', pool.base .. 'sent:' .. bucket .. ':' .. hash, field)
      or call('HGET', pool.base .. 'sent:' .. bucket - 1 .. ':' .. hash, field)))
end

-- Everything that was accepted at this time (ms) or later is in the pool, should the clock be right.
local function sentKnownFrom(pool)
  return pool.now - pool.spent - pool.before
end

local function dropSentPart(pool, part)
  local keys = {}
  for i = 0, sentHashes - 1 do keys[i + 1] = pool.base .. 'sent:' .. part .. ':' .. i end
  redis.call('UNLINK', unpack(keys))
end

-- Called when something was written to the pool: counts its time, and turns to the next part when this one's is over.
-- `mark` and `heldMs`: which mark the caller knows, and for how long. Replies the mark that stands from now on.
local function countSentPool(pool, slot, mark, heldMs)
  local counts = mark == pool.mark and heldMs >= pool.dedupeMs / 64
  if counts then
    pool.spent, pool.mark = pool.spent + heldMs, string.format('%.0f', pool.now)
    if pool.spent >= pool.dedupeMs then
      pool.part, pool.before, pool.spent = pool.part + 1, pool.spent, 0
      dropSentPart(pool, pool.part - 2)
      if pool.bucket and pool.part > 2 then
        dropSentPart(pool, pool.bucket)
        dropSentPart(pool, pool.bucket - 1)
        redis.call('HDEL', slot, 'bucket')
      end
    end
  end
  if counts or pool.isNew then
    redis.call('HSET', slot, 'sent', string.format('%.0f %.0f %s %.0f %.0f %s', pool.part, pool.first, pool.mark, pool.spent, pool.before, pool.epoch))
  end
  return pool.mark
end
