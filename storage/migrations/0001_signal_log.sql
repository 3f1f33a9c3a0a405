-- Stores and what stands in them, the signal log with its cursors, and what could not be read.

create table store (
    store_no     integer generated always as identity primary key,
    id           text not null unique,
    name         text not null,
    timezone     text not null,
    plan         jsonb not null,              -- as core.floorplan.dump_store wrote it
    plan_version integer not null default 1,  -- counts changes of the plan
    changed_at   timestamptz not null default now()
);
comment on table store is 'A store and its floor plan.';

create table zone (
    store_no integer not null references store,
    zone_no  smallint not null,               -- its place in the plan
    id       text not null,
    name     text not null,
    kind     text not null,
    primary key (store_no, zone_no),
    unique (store_no, id)
);
comment on table zone is 'A named area of a store.';

create table anchor (
    store_no  integer not null references store,
    anchor_no smallint not null,              -- its place in the plan
    id        text not null,
    zone_no   smallint not null,
    x_m       double precision,
    y_m       double precision,
    floor     smallint,
    primary key (store_no, anchor_no),
    unique (store_no, id)
);
comment on table anchor is 'A fixed point with a known place: a gateway that hears tags or a beacon that phones hear.';

-- One order for everything that an engine takes in: batches, edges when they are first heard, changes of the plan.
create sequence log_order;

-- Plans as ingest took them into use; from `log_no` on, signals are read against this one.
create table adopted_plan (
    store_no     integer not null references store,
    log_no       bigint not null default nextval('log_order'),
    plan_version integer not null,
    plan         jsonb not null,
    adopted_at   timestamptz not null default clock_timestamp(),
    primary key (store_no, log_no)
);
comment on table adopted_plan is 'Which floor plan the signals of a store were read against, and since when.';

create table edge (
    edge_no   integer generated always as identity primary key,
    store_no  integer not null references store,
    id        text not null,
    log_no    bigint not null default nextval('log_order'),  -- when it was first heard
    status    jsonb not null default '{}',    -- the last retained status message
    status_at timestamptz,
    unique (store_no, id)
);
comment on table edge is 'An agent that publishes batches.';

-- The contiguous committed cursor: every sequence up to `committed` of this boot is in the log.
create table edge_cursor (
    edge_no    integer not null references edge,
    boot       uuid not null,
    committed  bigint not null,
    changed_at timestamptz not null default now(),
    primary key (edge_no, boot),
    check (committed >= 0)
);
create index edge_cursor_newest on edge_cursor (edge_no, changed_at desc);
comment on table edge_cursor is 'How far each start of an edge is in the log, without a gap.';

-- One row a batch, its accepted signals as columns (docs/adr/0002-signal-log-of-batches.md).
create table signal_log (
    received_at timestamptz not null,
    log_no      bigint not null default nextval('log_order'),  -- order in which the one ingest committed
    store_no    integer not null,
    edge_no     integer not null,
    boot        uuid not null,
    sequence    bigint not null,
    signals     integer not null,
    first_at    timestamptz,                  -- of its accepted signals; null where none was accepted
    last_at     timestamptz,
    sha256      bytea not null,               -- of the message as it arrived
    batch       bytea not null                -- core.wire, accepted rows only; empty where none was accepted
);
select create_hypertable('signal_log', by_range('received_at', interval '1 day'), create_default_indexes => false);
-- A unique index of a hypertable must hold its time column; that a sequence is logged once is edge_cursor's to say.
create unique index signal_log_identity on signal_log (edge_no, boot, sequence, received_at);
create index signal_log_order on signal_log (store_no, log_no);
-- A batch is compressed before it comes; asking PostgreSQL to try again costs time for nothing.
alter table signal_log alter column batch set storage external;
comment on table signal_log is 'Every accepted signal, one row a batch, in the order in which it was committed.';

-- What an edge had to drop while its outbox was full, so that coverage is known.
create table signal_gap (
    edge_no        integer not null references edge,
    boot           uuid not null,
    first_sequence bigint not null,
    last_sequence  bigint not null,            -- the one under which it stands in the log
    store_no       integer not null,
    signals        bigint not null,            -- that were dropped
    from_at        timestamptz not null,
    until_at       timestamptz not null,
    received_at    timestamptz not null,
    primary key (edge_no, boot, last_sequence),
    check (first_sequence between 1 and last_sequence)
);
create index signal_gap_time on signal_gap (store_no, from_at);
comment on table signal_gap is 'Signals that an edge dropped: the sequences they were in and the time they cover.';

create table dead_letter (
    dead_letter_no bigint generated always as identity primary key,
    received_at timestamptz not null,
    store       text not null,                -- as the topic says, known or not
    edge        text not null,
    boot        uuid,
    sequence    bigint,
    reason      text not null,
    signals     integer not null,             -- rows refused; 0 where the message could not be read at all
    detail      jsonb not null,               -- what was wrong, with up to a few rows; never an address of a device
    bytes       integer not null,
    sha256      bytea not null,               -- of the message; the message itself is not kept
    times       integer not null default 1    -- how often the same message came with the same fault
);
create index dead_letter_time on dead_letter (received_at desc);
create unique index dead_letter_same on dead_letter (sha256, reason, store, edge);
comment on table dead_letter is 'What could not be accepted, with its reason; bounded by retention.';
