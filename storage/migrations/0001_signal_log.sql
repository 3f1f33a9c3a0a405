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

create table edge (
    edge_no   integer generated always as identity primary key,
    store_no  integer not null references store,
    id        text not null,
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
    primary key (edge_no, boot)
);

-- One row a batch, its accepted signals as columns (docs/adr/0002-signal-log-of-batches.md).
create table signal_log (
    received_at timestamptz not null,
    log_no      bigint generated always as identity,  -- order in which ingest committed
    store_no    integer not null,
    edge_no     integer not null,
    boot        uuid not null,
    sequence    bigint not null,
    signals     integer not null,
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    sha256      bytea not null,               -- of the message as it arrived
    batch       bytea not null                -- core.wire, accepted rows only
);
select create_hypertable('signal_log', by_range('received_at', interval '1 day'), create_default_indexes => false);
create unique index signal_log_identity on signal_log (edge_no, boot, sequence, received_at);
create index signal_log_order on signal_log (store_no, log_no);

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
    sha256      bytea not null
);
create index dead_letter_time on dead_letter (received_at desc);
comment on table dead_letter is 'What could not be accepted, with its reason; bounded by retention.';
