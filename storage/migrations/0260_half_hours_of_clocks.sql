-- On Lord Howe Island clocks change by half an hour. Hours after the change began where no hour of a question does, so
-- their visits were told of none: every day of such a store is counted anew, but for those that stand.
insert into rollup_stale (store_no, day)
    select distinct rolled.store_no, rolled.day
      from visit_rollup rolled join store using (store_no)
     where timezone in ('Australia/Lord_Howe', 'Australia/LHI') and not exists (
           select from rollup_frozen frozen where frozen.store_no = rolled.store_no and frozen.day = rolled.day)
    on conflict do nothing;
