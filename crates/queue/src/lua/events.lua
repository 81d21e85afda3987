-- ARGV: generation, cursor, limit.
return call('XRANGE', EVENTS, '(' .. ARGV[2], '+', 'COUNT', ARGV[3])
