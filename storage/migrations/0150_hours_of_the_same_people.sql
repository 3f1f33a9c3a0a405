-- Hours that are hidden together must have one of ten people among them: people of several hours may be the same.
-- What was judged before is judged anew; whoever counts a day writes the same (core/metrics/disclosure.py).
update visit_rollup hour set told = false
  from (select distinct on (cell.store_no, cell.day, cell.scope, cell.role)
               cell.store_no, cell.day, cell.scope, cell.role, cell.begins_at
          from visit_rollup cell
          join (select store_no, day, scope, role from visit_rollup where hourly
                 group by store_no, day, scope, role having max(people) filter (where not told) < 10) few
         using (store_no, day, scope, role)
         where cell.hourly and cell.told
         order by cell.store_no, cell.day, cell.scope, cell.role, cell.people, cell.begins_at) smallest
 where hour.hourly and hour.store_no = smallest.store_no and hour.day = smallest.day and hour.scope = smallest.scope
   and hour.role = smallest.role and hour.begins_at = smallest.begins_at;

-- An hour's crowd has as many people for sure as began a visit there, or as were there at one instant. Where hours of fewer
-- than ten are left out, the smallest other hour of that day is too, because the API tells the mean of the day.
create or replace view reporting.crowd_hour as
with hour as (
    select crowd.*, greatest(coalesce(rolled.people, 0), crowd.most) as least
      from public.crowd_rollup crowd
      left join public.visit_rollup rolled on rolled.store_no = crowd.store_no and rolled.day = crowd.day
       and rolled.hourly and rolled.scope = -1 and rolled.role = 0 and rolled.begins_at = crowd.begins_at
), judged as (
    select *, min(least) over (partition by store_no, day) as fewest,
           row_number() over (partition by store_no, day order by least < 10, least, begins_at) as place
      from hour
)
select store.id as store, judged.day, judged.begins_at, judged.mean, judged.most
  from judged join public.store using (store_no)
 where least >= 10 and (fewest >= 10 or place > 1);
