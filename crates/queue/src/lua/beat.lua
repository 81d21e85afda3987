-- ARGV: generation, worker, its record, then unit and epoch of each lease.
local worker = ARGV[2]
call('ZADD', WORKERS, now, worker)
call('HSET', RECORDS, worker, ARGV[3])
local lost = {}
for i = 4, #ARGV, 2 do
  local unit, epoch = ARGV[i], ARGV[i + 1]
  local found = look(unit)
  if holds(found, epoch, worker) then
    call('ZADD', LEASED, now + LEASE_MS, unit)
  else
    local loss = 'expired'
    if not found[1] then
      if call('ZSCORE', FINISHED, unit) then
        loss = 'finished'
      elseif call('ZSCORE', CANCELLED, unit) then
        loss = 'cancelled'
      end
    end
    lost[#lost + 1] = {unit, epoch, loss}
  end
end
return {call('SISMEMBER', DRAINING, worker), lost}
