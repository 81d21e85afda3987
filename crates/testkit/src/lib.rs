//! For tests: a redis-server of their own, free ports, a faulty TCP proxy, waiting for conditions.
