-- What edges say of themselves and of their anchors, in the order of the log; and how many anchors work.

alter table edge add column state text;                                 -- online, offline (last will) or stopped
alter table edge add column state_boot uuid;
alter table edge add column state_at timestamptz;                       -- since when
alter table edge add column anchors_down text[] not null default '{}';  -- of those it serves

-- Only changes: a status that says the same again is not kept.
create table edge_change (
    store_no     integer not null references store,
    log_no       bigint not null default nextval('log_order'),
    edge_no      integer not null references edge,
    state        text not null check (state in ('online', 'offline', 'stopped')),
    drained      boolean not null,            -- stopped, and nothing was left to send
    at           timestamptz not null,        -- from when on the anchors are so, in the time of the data
    anchors_down text[] not null,             -- that were not before
    anchors_up   text[] not null,             -- that were down before
    received_at  timestamptz not null,
    primary key (store_no, log_no)
);
comment on table edge_change is 'When edges and their anchors went and came back.';

-- Anchors that do not work now; derived from the engine, like presence.
create table anchor_fault (
    store_no integer not null references store,
    anchor   text not null,
    state    text not null check (state in ('down', 'deaf')), -- said by its edge, or told by the signals alone
    since    timestamptz not null,
    primary key (store_no, anchor)
);
comment on table anchor_fault is 'Anchors that do not work now, and since when.';

create table coverage_hour (
    store_no  integer not null references store,
    begins_at timestamptz not null,
    covered_s double precision not null,      -- of this hour, in the time of the data
    share     double precision not null,      -- of the anchors that worked, 0..1, over that time
    primary key (store_no, begins_at)
);
comment on table coverage_hour is 'Which share of its anchors a store could hear with.';
