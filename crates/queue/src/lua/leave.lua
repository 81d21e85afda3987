-- ARGV: generation, worker.
call('ZREM', WORKERS, ARGV[2])
call('HDEL', RECORDS, ARGV[2])
call('SREM', DRAINING, ARGV[2])
call('HDEL', TAKEN, ARGV[2])
return 1
