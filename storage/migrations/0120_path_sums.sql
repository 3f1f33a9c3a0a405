-- The days of one path with their people beside them: hundreds of paths are added up over a quarter from the index alone.
create index path_rollup_sums on path_rollup (store_no, zones, day) include (people);
drop index path_rollup_days;
