-- ARGV: generation.
return call('HGETALL', COUNTS)
