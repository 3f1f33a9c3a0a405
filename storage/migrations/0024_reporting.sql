-- Views for tools that speak SQL (Grafana): read-only, of what may be told, without a device. docs/metrics.md lists them.
create schema reporting;
comment on schema reporting is 'What tools that speak SQL may read: counts of ten people and more, nothing of anybody alone.';

create view reporting.store as
select store_no, id as store, name, timezone from public.store;

create view reporting.zone as
select store.id as store, zone.id as zone, zone.name, zone.kind from public.zone join public.store using (store_no);

-- Visitors' visits by day; where fewer than ten people were, the row stands with told = false and nulls.
create view reporting.visit_day as
select store.id as store, rolled.day, rolled.begins_at, zone.id as zone, rolled.told,
       case when told then visits end as visits, case when told then people end as people,
       case when told then dwell_ms / 1000.0 end as dwell_s,
       case when told then dwell_ms / 1000.0 / visits end as dwell_mean_s
  from public.visit_rollup rolled
  join public.store using (store_no)
  left join public.zone on zone.store_no = rolled.store_no and zone.zone_no = rolled.scope
 where not hourly and role = 0 and scope >= -1;

create view reporting.visit_hour as
select store.id as store, rolled.day, rolled.begins_at, zone.id as zone, rolled.told,
       case when told then visits end as visits, case when told then people end as people,
       case when told then dwell_ms / 1000.0 / visits end as dwell_mean_s
  from public.visit_rollup rolled
  join public.store using (store_no)
  left join public.zone on zone.store_no = rolled.store_no and zone.zone_no = rolled.scope
 where hourly and role = 0 and scope >= -1;

create view reporting.move_day as
select store.id as store, day, one.id as from_zone, other.id as to_zone, moves, people
  from public.flow_rollup rolled
  join public.store using (store_no)
  join public.zone one on one.store_no = rolled.store_no and one.zone_no = rolled.from_zone
  join public.zone other on other.store_no = rolled.store_no and other.zone_no = rolled.to_zone
 where people >= 10;

-- How many were in a store at once, in the hours whose visits may be told.
create view reporting.crowd_hour as
select store.id as store, crowd.day, crowd.begins_at, crowd.mean, crowd.most
  from public.crowd_rollup crowd
  join public.store using (store_no)
  join public.visit_rollup rolled on rolled.store_no = crowd.store_no and rolled.day = crowd.day and rolled.hourly
   and rolled.scope = -1 and rolled.role = 0 and rolled.begins_at = crowd.begins_at and rolled.told;

create view reporting.occupancy_now as
select store.id as store, zone.id as zone, count(presence.device) filter (where role = 0)::integer as people
  from public.zone join public.store using (store_no)
  left join public.presence on presence.store_no = zone.store_no and presence.zone_no = zone.zone_no
 group by store.id, zone.id;

create view reporting.coverage_hour as
select store.id as store, begins_at, share, covered_s from public.coverage_hour join public.store using (store_no);

create view reporting.anchor_fault as
select store.id as store, anchor, state, since from public.anchor_fault join public.store using (store_no);

create view reporting.alert as
select store.id as store, rule.kind, zone.id as zone, opened_at, closed_at, value, worst, rule.opens_at
  from public.store_alert alert join public.store_alert_rule rule using (rule_no)
  join public.store on store.store_no = alert.store_no
  left join public.zone on zone.store_no = alert.store_no and zone.zone_no = rule.zone_no;

create view reporting.ingest as
select changed_at, broker, queued, newest_signal_at, signals, batches, dead_letters from public.ingest_status;

-- The role owns nothing and logs in only once an operator has given it a password. A database whose owner may not make
-- roles goes without it: the operator makes it and grants the same (docs/metrics.md).
do $$
begin
    if not exists (select from pg_roles where rolname = 'sojourn_reader') then
        create role sojourn_reader nologin;
    end if;
exception
    when duplicate_object or unique_violation then null;  -- another database of this server was migrated meanwhile
    when insufficient_privilege then raise notice 'the role sojourn_reader is left to be made by hand';
end $$;
do $$
begin
    if exists (select from pg_roles where rolname = 'sojourn_reader') then
        grant usage on schema reporting to sojourn_reader;
        grant select on all tables in schema reporting to sojourn_reader;
    end if;
end $$;
