-- For tests: milliseconds that a key holds.
local now = tonumber(redis.call('GET', NAME .. '-clock') or '0')
