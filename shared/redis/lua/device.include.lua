-- For scripts that read or write a device of a user. It is stored as "<position> <last seen>", followed by ` e` if the
-- device is ephemeral. Whoever writes a device keeps the words behind `last seen`, also those that it does not know.

-- Returns the position and the time last seen (ms) as text, and the words behind them: '', or with a space before each.
local function readDevice(stored)
  return string.match(stored, '^(%d+) (%d+)(.*)$')
end

local function deviceText(position, seen, words)
  return string.format('%.0f %.0f', position, seen) .. words
end

local function isEphemeral(words)
  return string.sub(words, 1, 2) == ' e'
end
