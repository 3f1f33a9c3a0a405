-- What is told of paths with their people beside them: the sums of a quarter come from the index alone.
create index path_rollup_told_people on path_rollup (store_no, day) include (zones, people) where people >= 10;
drop index path_rollup_told_zones;

-- Moves of a day: where those that are told leave few of the people who were in a zone, the least frequent of them is left
-- out, as storage.metric_queries does: the visits of a zone are told beside them.
create or replace view reporting.move_day as
with side as (
    select one.store_no, one.day, one.zone, one.begins,
           case when visits <> sum(moves) and visited.people - sum(one.people) < 10 then min(one.people) end as up_to
      from (select store_no, day, from_zone as zone, true as begins, moves, people from public.flow_rollup
             where people >= 10
            union all
            select store_no, day, to_zone, false, moves, people from public.flow_rollup where people >= 10) one
      join public.visit_rollup visited on visited.store_no = one.store_no and visited.day = one.day
       and not visited.hourly and visited.role = 0 and visited.scope = one.zone
     group by one.store_no, one.day, one.zone, one.begins, visits, visited.people
)
select store.id as store, rolled.day, one.id as from_zone, other.id as to_zone, rolled.moves, rolled.people
  from public.flow_rollup rolled
  join public.store using (store_no)
  join public.zone one on one.store_no = rolled.store_no and one.zone_no = rolled.from_zone
  join public.zone other on other.store_no = rolled.store_no and other.zone_no = rolled.to_zone
  left join side left_from on left_from.store_no = rolled.store_no and left_from.day = rolled.day
   and left_from.zone = rolled.from_zone and left_from.begins
  left join side come_to on come_to.store_no = rolled.store_no and come_to.day = rolled.day
   and come_to.zone = rolled.to_zone and not come_to.begins
 where rolled.people >= 10 and rolled.people > coalesce(left_from.up_to, 0)
   and rolled.people > coalesce(come_to.up_to, 0);
