-- Recomputation of a chain: which days of which stores are decoded again, what is done, and what would change.
-- Nothing of it is seen by a reader of visits until one transaction moves all of it (storage/recompute/switch.py).

create table recompute_run (
    run_no      integer generated always as identity primary key,
    from_at     timestamptz not null,
    until_at    timestamptz not null,
    model       text not null,             -- in-use, latest, or a version, as it was asked for
    stores      text[] not null,           -- ids; empty: all
    archive     text,                      -- where signals are read from; null: the signal log
    state       text not null default 'open' check (state in ('open', 'done', 'dropped')),
    made_at     timestamptz not null default now(),
    ended_at    timestamptz
);
-- one at a time: two would revise the same visits
create unique index recompute_run_open on recompute_run (state) where state = 'open';
comment on table recompute_run is 'Days of stores decoded again under one model, seen all at once or not at all.';

-- What holds for every day of a store, fixed when the run is made, so that a run that goes on is the same run.
create table recompute_store (
    run_no        integer not null references recompute_run,
    store_no      integer not null references store,
    model_version integer,                 -- null: each time the model that was in use
    after_log_no  bigint not null,         -- where the floor plan that it is decoded with was taken into use
    through_at    timestamptz not null,    -- what the live engine had decided
    primary key (run_no, store_no)
);
comment on table recompute_store is 'Model, plan and end of each store in a recomputation.';

create table recompute_task (
    run_no      integer not null,
    store_no    integer not null,
    day         date not null,             -- UTC
    done_at     timestamptz,
    revisions   bigint,                    -- of the store when its visits were compared: another count, another look
    spells      bigint not null default 0,
    left_alone  bigint not null default 0,
    unchanged   bigint not null default 0,
    took_s      double precision,
    primary key (run_no, store_no, day),
    foreign key (run_no, store_no) references recompute_store
);
comment on table recompute_task is 'A day of a store to decode again, and whether that is done.';

create table recompute_change (
    run_no            integer not null,
    day               date not null,
    visit_id          uuid not null,
    store_no          integer not null,
    device            uuid not null,       -- so that erasure finds it
    kind              smallint not null,   -- core.records.VisitKind
    zone_no           smallint not null,
    entered_at        timestamptz not null,
    left_at           timestamptz not null,
    entered_earliest  timestamptz not null,
    entered_latest    timestamptz not null,
    left_earliest     timestamptz not null,
    left_latest       timestamptz not null,
    dwell_s           double precision not null,
    confidence        real not null,
    signals           integer not null,
    closed_by         smallint not null,
    revision          integer not null,
    forced            boolean not null,
    model_version     integer not null,
    role              smallint not null,
    change            smallint not null,   -- a place in storage.revisions.CHANGES
    before_entered_at timestamptz not null
);
create index recompute_change_store on recompute_change (run_no, store_no, day);
create index recompute_change_device on recompute_change (device);
comment on table recompute_change is 'Revisions that wait for the switch of their run; emptied by it.';
