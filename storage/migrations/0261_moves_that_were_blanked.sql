-- An erasure took a day's moves of fewer than ten people away, and with them that there had been any: `flow` said
-- `told` from then on. It is not known any more on which of these days there were some; on most days there are. So
-- each of them has one that stands for somebody, from a zone to itself, which no move is.
insert into flow_rollup (store_no, day, from_zone, to_zone, moves, people)
    select frozen.store_no, frozen.day, 0, 0, 1, 1
      from rollup_frozen frozen
     where exists (select from visit_rollup rolled where rolled.store_no = frozen.store_no and rolled.day = frozen.day)
       and not exists (select from flow_rollup moved
                        where moved.store_no = frozen.store_no and moved.day = frozen.day and moved.people < 10)
    on conflict do nothing;
