-- Which paths may be told of a day, with their zones beside them: read from the index alone.
create index path_rollup_told_zones on path_rollup (store_no, day) include (zones) where people >= 10;
drop index path_rollup_told;
