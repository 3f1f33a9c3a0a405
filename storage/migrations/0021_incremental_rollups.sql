-- Counts follow each visit that changes, by what it was and what it is: no count reads a whole day again for one visit.

drop trigger zone_visit_rollup on zone_visit;
drop trigger store_visit_rollup on store_visit;
drop function mark_rollup_due();
drop trigger store_recount on store;
drop function recount_store();

-- What a count has not taken in yet. A visit that was corrected stands twice: as it was (-1) and as it is (1).
create table rollup_change (
    store_no   integer not null,
    sign       smallint not null check (sign in (-1, 1)),
    scope      smallint not null,          -- zone_no; -1 a store visit
    visit_id   uuid not null,
    device     uuid not null,
    role       smallint not null,
    entered_at timestamptz not null,
    left_at    timestamptz not null,
    dwell_s    double precision not null
);
create index rollup_change_day on rollup_change (store_no, entered_at);
create index rollup_change_device on rollup_change (device);
comment on table rollup_change is 'Visits that changed since they were counted; emptied twice a minute.';

-- Days that are counted anew from their visits: other clocks, other zones, other rules.
create table rollup_stale (
    store_no integer not null references store,
    day      date not null,
    primary key (store_no, day)
);
comment on table rollup_stale is 'Days whose counts cannot be corrected and are made anew.';
insert into rollup_stale (store_no, day)
    select distinct due.store_no, (entered_at at time zone timezone)::date from rollup_due due join store using (store_no)
    union select store_no, day from visit_rollup; -- earlier counts lack paths, crowds and conversions
drop table rollup_due;

create table path_rollup (
    store_no integer not null references store,
    day      date not null,
    zones    smallint[] not null,          -- the first ones of a day, in their order
    people   integer not null,
    primary key (store_no, day, zones)
);
create index path_rollup_told on path_rollup (store_no, day) where people >= 10;
comment on table path_rollup is 'Ways that visitors took through a store on a day.';

create table crowd_rollup (
    store_no  integer not null references store,
    day       date not null,
    begins_at timestamptz not null,        -- of the hour on the store's clocks
    mean      double precision not null,   -- store visits in progress over the hour
    most      integer not null,
    primary key (store_no, begins_at)
);
comment on table crowd_rollup is 'How many visitors were in a store at once, hour by hour.';

alter table visit_rollup add column told boolean not null default false;
comment on column visit_rollup.told is 'Whether operations may see it by itself: core.metrics.disclosure.';
comment on column visit_rollup.role is 'As what its visits count: core.metrics.exclusions.CountedAs.';

create function note_visit_change() returns trigger language plpgsql as $$
begin
    if current_setting('sojourn.erasing', true) = 'on' then
        return null; -- storage.rollups.freeze has seen to these days
    end if;
    if tg_argv[0] = 'zone' then
        if tg_op <> 'INSERT' and not old.withdrawn then
            insert into rollup_change values (old.store_no, -1, old.zone_no, old.visit_id, old.device, old.role,
                old.entered_at, old.left_at, old.dwell_s);
        end if;
        if tg_op <> 'DELETE' and not new.withdrawn then
            insert into rollup_change values (new.store_no, 1, new.zone_no, new.visit_id, new.device, new.role,
                new.entered_at, new.left_at, new.dwell_s);
        end if;
    else
        if tg_op <> 'INSERT' and not old.withdrawn then
            insert into rollup_change values (old.store_no, -1, -1, old.visit_id, old.device, old.role,
                old.entered_at, old.left_at, old.dwell_s);
        end if;
        if tg_op <> 'DELETE' and not new.withdrawn then
            insert into rollup_change values (new.store_no, 1, -1, new.visit_id, new.device, new.role,
                new.entered_at, new.left_at, new.dwell_s);
        end if;
    end if;
    return null;
end $$;
create trigger zone_visit_change after insert or update or delete on zone_visit
    for each row execute function note_visit_change('zone');
create trigger store_visit_change after insert or update or delete on store_visit
    for each row execute function note_visit_change('store');

create function recount_store(of_store integer) returns void language plpgsql as $$
declare clocks text;
begin
    select timezone into clocks from store where store_no = of_store;
    delete from visit_rollup rolled where store_no = of_store and not exists (
        select from rollup_frozen frozen where frozen.store_no = of_store and frozen.day = rolled.day);
    delete from flow_rollup rolled where store_no = of_store and not exists (
        select from rollup_frozen frozen where frozen.store_no = of_store and frozen.day = rolled.day);
    delete from path_rollup rolled where store_no = of_store and not exists (
        select from rollup_frozen frozen where frozen.store_no = of_store and frozen.day = rolled.day);
    delete from crowd_rollup rolled where store_no = of_store and not exists (
        select from rollup_frozen frozen where frozen.store_no = of_store and frozen.day = rolled.day);
    insert into rollup_stale (store_no, day)
        select of_store, day from (
            select (entered_at at time zone clocks)::date as day from zone_visit where store_no = of_store
            union select (left_at at time zone clocks)::date from store_visit where store_no = of_store
            union select (entered_at at time zone clocks)::date from store_visit where store_no = of_store
            -- a day may have lost its last visit since it was counted
            union select (entered_at at time zone clocks)::date from rollup_change where store_no = of_store
            union select (left_at at time zone clocks)::date from rollup_change where store_no = of_store) visited
        on conflict do nothing;
end $$;
comment on function recount_store is 'Lets every day of a store be counted anew that is not frozen.';

-- Other clocks, or zones of another kind: every day of the store is cut or counted otherwise.
create function recount_changed_store() returns trigger language plpgsql as $$
begin
    perform recount_store(new.store_no);
    return null;
end $$;
create trigger store_recount after update of plan, timezone on store
    for each row when (old.timezone <> new.timezone or old.plan -> 'zones' is distinct from new.plan -> 'zones')
    execute function recount_changed_store();

-- Who is left out of a store's figures, and who decided so when: the newest row holds. Visits stay as they are.
create table exclusion_change (
    change_no  bigint generated always as identity primary key,
    store_no   integer not null references store,
    rules      jsonb not null,             -- core.metrics.exclusions.Rules
    operator   text not null,
    reason     text not null,
    changed_at timestamptz not null default clock_timestamp()
);
create index exclusion_change_newest on exclusion_change (store_no, change_no desc);
create function refuse_exclusion_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'exclusion_change is append-only: add a row instead' using errcode = 'restrict_violation';
end $$;
create trigger exclusion_change_append_only before update or delete on exclusion_change
    for each row execute function refuse_exclusion_rewriting();
comment on table exclusion_change is 'Rules of who is not counted, each with who set them and why; taken back by a new row.';
