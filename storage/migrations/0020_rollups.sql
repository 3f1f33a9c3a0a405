-- Counts of visits by hour and day of a store's clocks, and which days are to be counted again.

-- A visit that was written, changed or removed, by whomever: its day is no longer counted right. Rows are only added
-- and taken away, never merged: a mark of an open transaction must not stand for one that a count already took.
create table rollup_due (
    store_no   integer not null,
    entered_at timestamptz not null
);
create index rollup_due_day on rollup_due (store_no, entered_at);
comment on table rollup_due is 'Visits that changed since their day was counted last.';

create table visit_rollup (
    store_no  integer not null references store,
    day       date not null,               -- on the clocks of the store
    begins_at timestamptz not null,        -- of the day or the hour
    hourly    boolean not null,
    scope     smallint not null,           -- zone_no; -1 the store; -2 zones inside it: neither entrance nor staff only
    role      smallint not null,           -- core.records.Role
    visits    integer not null,
    people    integer not null,            -- distinct devices
    dwell_ms  bigint not null,
    bins      smallint[] not null,         -- core.metrics.bins: those that hold a visit
    counts    integer[] not null,          -- and how many
    primary key (store_no, day, hourly, scope, role, begins_at)
);
comment on table visit_rollup is 'Visits of a day and of an hour, by zone and role; equal to counting the visits.';

create table flow_rollup (
    store_no  integer not null references store,
    day       date not null,
    from_zone smallint not null,
    to_zone   smallint not null,
    moves     integer not null,
    people    integer not null,
    primary key (store_no, day, from_zone, to_zone)
);
comment on table flow_rollup is 'Moves of visitors from zone to zone within a day.';

-- Days that an erasure touched: their counts stand, anonymous, so that a comparison tells nothing of who was erased.
create table rollup_frozen (
    store_no integer not null references store,
    day      date not null,
    primary key (store_no, day)
);
comment on table rollup_frozen is 'Days whose counts do not change any more.';

create function mark_rollup_due() returns trigger language plpgsql as $$
begin
    if current_setting('sojourn.erasing', true) = 'on' then
        return null; -- storage.rollups.freeze has seen to these days
    end if;
    if tg_op <> 'INSERT' then
        insert into rollup_due (store_no, entered_at) values (old.store_no, old.entered_at);
    end if;
    if tg_op <> 'DELETE' then
        insert into rollup_due (store_no, entered_at) values (new.store_no, new.entered_at);
    end if;
    return null;
end $$;
create trigger zone_visit_rollup after insert or update or delete on zone_visit
    for each row execute function mark_rollup_due();
create trigger store_visit_rollup after insert or update or delete on store_visit
    for each row execute function mark_rollup_due();

-- Other clocks, or zones of another kind: every day of the store is cut or counted otherwise.
create function recount_store() returns trigger language plpgsql as $$
begin
    delete from visit_rollup where store_no = new.store_no and not exists (
        select from rollup_frozen frozen where frozen.store_no = new.store_no and frozen.day = visit_rollup.day);
    delete from flow_rollup where store_no = new.store_no and not exists (
        select from rollup_frozen frozen where frozen.store_no = new.store_no and frozen.day = flow_rollup.day);
    insert into rollup_due (store_no, entered_at)
        select new.store_no, hour from (
            select time_bucket('15 minutes', entered_at) as hour from zone_visit where store_no = new.store_no
            union select time_bucket('15 minutes', entered_at) from store_visit where store_no = new.store_no) visited;
    return null;
end $$;
create trigger store_recount after update of plan, timezone on store
    for each row when (old.timezone <> new.timezone or old.plan -> 'zones' is distinct from new.plan -> 'zones')
    execute function recount_store();

insert into rollup_due (store_no, entered_at)
    select store_no, time_bucket('15 minutes', entered_at) from zone_visit
    union select store_no, time_bucket('15 minutes', entered_at) from store_visit;
