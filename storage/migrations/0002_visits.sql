-- What the dwell engine derives from the log.

create table closed_by (code smallint primary key, word text not null unique);
insert into closed_by values
    (0, 'moved_on'), (1, 'silence'), (2, 'anchor_down'), (3, 'app_exit'), (4, 'store_closed'), (5, 'end_of_recording');
comment on table closed_by is 'Why a visit ended; core.records.ClosedBy.';

create table zone_visit (
    entered_at       timestamptz not null,
    visit_id         uuid not null,           -- deterministic: the same signals give the same id
    store_no         integer not null,
    device           uuid not null,           -- pseudonym
    zone_no          smallint not null,
    left_at          timestamptz not null,
    entered_earliest timestamptz not null,    -- bounds of the 95% intervals
    entered_latest   timestamptz not null,
    left_earliest    timestamptz not null,
    left_latest      timestamptz not null,
    dwell_s          double precision not null,
    confidence       real not null,
    signals          integer not null,
    closed_by        smallint not null,
    revision         integer not null,        -- 0 as first reported, +1 with each correction
    forced           boolean not null default false -- decided by a bound of the decoder rather than by agreement
);
select create_hypertable('zone_visit', by_range('entered_at', interval '7 days'), create_default_indexes => false);
create unique index zone_visit_identity on zone_visit (visit_id, entered_at);
create index zone_visit_page on zone_visit (store_no, entered_at desc, visit_id);
create index zone_visit_device on zone_visit (device, entered_at desc);
create index zone_visit_newest on zone_visit (store_no, left_at desc, visit_id);
comment on table zone_visit is 'One stay of a device in a zone.';

create table store_visit (
    entered_at       timestamptz not null,
    visit_id         uuid not null,
    store_no         integer not null,
    device           uuid not null,
    left_at          timestamptz not null,
    entered_earliest timestamptz not null,
    entered_latest   timestamptz not null,
    left_earliest    timestamptz not null,
    left_latest      timestamptz not null,
    dwell_s          double precision not null,
    confidence       real not null,
    signals          integer not null,
    closed_by        smallint not null,
    revision         integer not null,        -- 0 as first reported, +1 with each correction
    forced           boolean not null default false -- decided by a bound of the decoder rather than by agreement
);
select create_hypertable('store_visit', by_range('entered_at', interval '7 days'), create_default_indexes => false);
create unique index store_visit_identity on store_visit (visit_id, entered_at);
create index store_visit_page on store_visit (store_no, entered_at desc, visit_id);
create index store_visit_device on store_visit (device, entered_at desc);
create index store_visit_newest on store_visit (store_no, left_at desc, visit_id);
comment on table store_visit is 'All zone visits of a device between one arrival and one departure.';

-- Where devices are now. Derived from the engine within a second, so it need not survive a crash.
create unlogged table presence (
    store_no       integer not null,
    device         uuid not null,
    zone_no        smallint not null,
    arrived_at     timestamptz not null,
    in_zone_since  timestamptz not null,
    last_signal_at timestamptz not null,
    confidence     real not null,
    primary key (store_no, device)
) with (fillfactor = 70); -- room for updates in place: last_signal_at is in no index
create index presence_device on presence (device);
comment on table presence is 'Visits in progress; provisional until the engine has decided.';

-- How far the engine of a store has come; written in the transaction that writes its visits.
create table engine_progress (
    store_no        integer primary key references store,
    log_no          bigint not null,          -- last row of signal_log that went in
    decoded         bigint not null,          -- signals taken in, late and repeated ones included
    late            bigint not null,
    repeated        bigint not null,
    decided_through timestamptz,              -- every visit that ended before this is reported
    changed_at      timestamptz not null default now()
);

create table engine_snapshot (
    store_no   integer not null references store,
    log_no     bigint not null,
    engine     text not null,                 -- version that wrote it
    decoded    bigint not null,               -- signals of engines before this one, under earlier plans
    late       bigint not null,
    repeated   bigint not null,
    sha256     bytea not null,
    state      bytea not null,
    taken_at   timestamptz not null default now(),
    primary key (store_no, log_no)
);
alter table engine_snapshot alter column state set storage external; -- compressed before it comes
comment on table engine_snapshot is 'The two newest generations a store.';
