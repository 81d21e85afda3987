-- ARGV: generation.
local names = call('ZRANGE', WORKERS, '(' .. string.format('%d', now - LEASE_MS * WORKER_LEASES), '+inf', 'BYSCORE')
local answers = {}
for i, name in ipairs(names) do
  local heard = call('ZSCORE', WORKERS, name)
  answers[i] = {call('HGET', RECORDS, name), call('SISMEMBER', DRAINING, name), math.max(0, now - heard)}
end
return answers
