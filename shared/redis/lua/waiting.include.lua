-- For scripts that ask which waiting users to look at. Moments are in Redis' time, which jumps. A moment further ahead
-- than `most` (ms), the furthest that is ever set, dates from before the clock went back. Without this check the user
-- would be looked at late by the jump.
local slackMs = 1000
local function isStray(moment, now, most) return moment > now + most + slackMs end
