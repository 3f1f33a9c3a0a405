-- Apps that hear beacons: installations of customers who consented, and what they told, on its way to the broker.

create table app_installation (
    installation_id uuid primary key default gen_random_uuid(),
    profile_id   uuid not null references profile on delete cascade,
    device       uuid not null unique default gen_random_uuid(), -- its stable pseudonym, drawn, never of anything of the phone
    token_sha256 bytea not null unique,       -- the token itself is told once
    issued_at    timestamptz not null default clock_timestamp(),
    revoked_at   timestamptz,
    last_seen_at timestamptz,                 -- by our clock
    clock_skew_s double precision,            -- how far ahead the phone's clock was, when it said so last
    battery_percent smallint check (battery_percent between 0 and 100)
);
create index app_installation_profile on app_installation (profile_id);
comment on table app_installation is 'App installations of customers who consented; without a consent that holds nothing is taken.';

-- Apps are one edge a store, `app`. Batches are numbered in the transaction that takes them in, so they count once
-- however often they are published.
create table app_edge (
    store_no integer primary key references store,
    boot     uuid not null default gen_random_uuid(),
    sequence bigint not null default 0
);
comment on table app_edge is 'The edge that apps are in each store, and the latest number of its batches.';

create table app_outbox (
    store_no integer not null references store,
    sequence bigint not null,
    payload  bytea not null,                  -- core.wire
    made_at  timestamptz not null default clock_timestamp(),
    sent_at  timestamptz,
    primary key (store_no, sequence)
);
create index app_outbox_due on app_outbox (sent_at nulls first);
alter table app_outbox alter column payload set storage external;
comment on table app_outbox is 'Batches of apps that ingest is not known to have; removed when its cursor is past them.';
