-- ARGV: generation.
local expired, died, promoted = 0, 0, 0
for _, unit in ipairs(call('ZRANGE', LEASED, '-inf', now, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  local found = look(unit)
  local worker = found[6]
  lift(unit, found)
  local reason = 'worker ' .. worker .. ' vanished: its lease was not renewed in ' .. string.format('%d', LEASE_MS) .. ' ms'
  if charge(unit, found, worker, 'crash', reason, '') then
    died = died + 1
  else
    expired = expired + 1
  end
end
for _, unit in ipairs(call('ZRANGE', DELAYED, '-inf', now, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  local found = look(unit)
  lift(unit, found)
  set_ready(unit, found[2], found[3])
  promoted = promoted + 1
end

local long_ago = now - LEASE_MS * WORKER_LEASES
for _, worker in ipairs(call('ZRANGE', WORKERS, '-inf', long_ago, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  call('ZREM', WORKERS, worker)
  call('HDEL', RECORDS, worker)
  call('SREM', DRAINING, worker)
  call('HDEL', TAKEN, worker)
end
call('ZREMRANGEBYSCORE', FINISHED, '-inf', long_ago)
call('ZREMRANGEBYSCORE', CANCELLED, '-inf', long_ago)

-- Streams that are empty go now and then: pools come and go with the versions of the program.
if tonumber(call('GET', SWEPT) or '0') + LEASE_MS <= now then
  call('SET', SWEPT, now)
  for _, name in ipairs(call('SMEMBERS', STREAMS)) do
    if call('XLEN', READY .. name) == 0 then
      call('DEL', READY .. name)
      call('SREM', STREAMS, name)
    end
  end
end
return {expired, died, promoted}
