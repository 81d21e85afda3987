-- ARGV: generation, worker.
local heard = call('ZSCORE', WORKERS, ARGV[2])
if not heard or heard + LEASE_MS * WORKER_LEASES <= now then
  return 0
end
call('SADD', DRAINING, ARGV[2])
return 1
