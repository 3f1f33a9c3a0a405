-- The days of a zone with their counts beside them: figures of a quarter read a few hundred entries of one index.
create index visit_rollup_daily on visit_rollup (store_no, scope, role, day) include (begins_at, visits, people, dwell_ms)
    where not hourly;
