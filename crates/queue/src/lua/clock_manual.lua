-- For tests: milliseconds that a key holds.
local now = tonumber(redis.call('GET', '@-clock') or '0')
