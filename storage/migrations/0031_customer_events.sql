-- What happened to customers outside of the radio's reach: orders, events online and in the app, appointments, loyalty.

create table input_import (
    import_no   bigint generated always as identity primary key,
    input       text not null,                 -- core.journey.inputs.INPUTS
    source      text not null,
    sha256      bytea not null,                -- of the file
    rows        integer not null,
    taken       integer not null,
    unchanged   integer not null,
    refused     integer not null,
    errors      jsonb not null,                -- the first refused rows: line, field, what; never a value
    imported_at timestamptz not null default clock_timestamp(),
    reverted_at timestamptz
);
comment on table input_import is 'One CSV file that was taken in.';

-- Revisions are kept: what was known at a time can be told again.
create table customer_event (
    event_id    uuid not null,
    revision    integer not null,              -- 0 as first sent, +1 with each change
    newest      boolean not null default true,
    profile_id  uuid not null references profile,
    kind        text not null,
    source      text not null,
    source_key  text not null,                 -- its name at the source: with source and kind the upsert key
    occurred_at timestamptz not null,
    store_no    integer references store,      -- null online and wherever nobody knows
    detail      jsonb not null,
    removed     boolean not null default false,
    recorded_at timestamptz not null default clock_timestamp(),
    import_no   bigint references input_import,
    primary key (event_id, revision)
);
create unique index customer_event_key on customer_event (source, kind, source_key) where newest;
create index customer_event_profile on customer_event (profile_id, occurred_at desc) where newest;
create index customer_event_recorded on customer_event (profile_id, recorded_at);
create index customer_event_import on customer_event (import_no) where import_no is not null;
comment on table customer_event is 'Orders, events online and in the app, appointments, loyalty, each with all its revisions.';

create table idempotency_key (
    key            text not null,
    path           text not null,
    request_sha256 bytea not null,
    status         smallint not null,
    answer         jsonb not null,
    made_at        timestamptz not null default clock_timestamp(),
    primary key (key, path)
);
create index idempotency_key_age on idempotency_key (made_at);
comment on table idempotency_key is 'Answers that are given again to a request that is sent again; kept for a week.';
