-- The days of one path, for how many of them are too few to be told.
create index path_rollup_days on path_rollup (store_no, zones, day);
