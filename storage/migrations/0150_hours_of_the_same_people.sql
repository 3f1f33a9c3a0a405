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

-- Hours with somebody in them whose visits are not told: where none of them had ten people, the smallest other hour of
-- that day is left out too, because the mean of the day is told by the API.
create or replace view reporting.crowd_hour as
with hour as (
    select crowd.*, coalesce(rolled.told, false) as told, greatest(coalesce(rolled.people, 0), crowd.most) as least
      from public.crowd_rollup crowd
      left join public.visit_rollup rolled on rolled.store_no = crowd.store_no and rolled.day = crowd.day
       and rolled.hourly and rolled.scope = -1 and rolled.role = 0 and rolled.begins_at = crowd.begins_at
), judged as (
    select *, max(least) filter (where not told) over day as hidden_most,
           count(*) filter (where not told) over day as hidden_hours,
           row_number() over (partition by store_no, day order by told desc, least, begins_at) as place
      from hour window day as (partition by store_no, day)
)
select store.id as store, judged.day, judged.begins_at, judged.mean, judged.most
  from judged join public.store using (store_no)
 where told and (hidden_hours = 0 or place > case when hidden_most < 10 or hidden_hours < 2 then 1 else 0 end);
