-- The counted crowd is of visits that are over. So an hour in which somebody was who is still there, or who left so
-- lately that the visit is not written yet, seemed to end in an empty store. Such hours are left out until then; the API
-- adds who is there (storage/rollups/there.py says who left lately).
create or replace view reporting.crowd_hour as
select store.id as store, told.day, told.begins_at, told.mean, told.most
  from public.store, lateral (
    with known as materialized (
        select greatest((select max(last_signal_at) from public.presence where store_no = store.store_no),
                        (select decided_through from public.engine_progress where store_no = store.store_no)) as as_of
    ), rule as materialized (
        -- the defaults are those of core/metrics/exclusions.py; a rule that is off leaves nobody out
        select coalesce(max(case when rules is null then 28800 else (rules ->> 'long_stay_s')::float8 end),
                        'infinity') as long_stay_s,
               coalesce(max(case when rules is null then 600 else (rules ->> 'staff_zone_s')::float8 end),
                        'infinity') as staff_zone_s
          from (select 1) one left join (select rules from public.exclusion_change where store_no = store.store_no
                                          order by change_no desc limit 1) newest on true
    ), lately as materialized (
        select distinct visit.device from known, public.zone_visit visit
         where visit.store_no = store.store_no and visit.left_at >= known.as_of - interval '30 minutes'
           and visit.entered_at >= known.as_of - interval '1 day' and visit.role = 0 and not visit.withdrawn
    ), over as materialized (
        select device, max(left_at) as left_at from public.store_visit
         where store_no = store.store_no and device = any(array(select device from lately)) and not withdrawn
           and entered_at >= (select as_of from known) - interval '2 days'
         group by device
    ), under_way as (
        select device, arrived_at, (select as_of from known) as until
          from public.presence where store_no = store.store_no and role = 0
        union all
        select device, min(entered_at), max(visit.left_at)
          from public.zone_visit visit left join over using (device)
         where store_no = store.store_no and device = any(array(select device from lately)) and role = 0
           and not withdrawn and entered_at >= (select as_of from known) - interval '1 day'
           and (over.left_at is null or entered_at >= over.left_at)
         group by device
    ), in_staff as materialized (
        select device, sum(dwell_s) as dwell_s from public.zone_visit
         where store_no = store.store_no and device = any(array(select device from under_way)) and not withdrawn
           and entered_at >= (select as_of from known) - interval '1 day'
           and zone_no in (select zone_no from public.zone where store_no = store.store_no and kind = 'staff_only')
         group by device
    ), open as materialized (
        select min(arrived_at) as since
          from under_way cross join rule left join in_staff using (device)
         where extract(epoch from until - arrived_at) < long_stay_s and coalesce(in_staff.dwell_s, 0) < staff_zone_s
    ), hour as (
        select crowd.*, greatest(coalesce(rolled.people, 0), crowd.most) as least
          from public.crowd_rollup crowd
          left join public.visit_rollup rolled on rolled.store_no = crowd.store_no and rolled.day = crowd.day
           and rolled.hourly and rolled.scope = -1 and rolled.role = 0 and rolled.begins_at = crowd.begins_at
         where crowd.store_no = store.store_no
    ), judged as (
        -- as migration 0150 has it: also of the hours that are left out
        select *, min(least) over (partition by day) as fewest,
               row_number() over (partition by day order by least < 10, least, begins_at) as place
          from hour
    )
    select judged.day, judged.begins_at, judged.mean, judged.most
      from judged cross join open
     where least >= 10 and (fewest >= 10 or place > 1)
       and (open.since is null or judged.begins_at + interval '1 hour' <= open.since)
  ) told;
