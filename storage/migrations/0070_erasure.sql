-- Erasure of a person as a job with a receipt for each place, and who was erased as keyed hashes.

-- The key is a file, never here: from these hashes nobody is learnt. `from_at`, `until_at`: when a device was hers.
create table suppression (
    kind         text not null check (kind in ('profile', 'device', 'identifier')),
    subject_hash bytea not null,             -- core.privacy.suppression.subject_hash
    from_at      timestamptz not null default '-infinity',
    until_at     timestamptz not null default 'infinity', -- earlier once a new consent was given for it
    made_at      timestamptz not null,
    primary key (kind, subject_hash, from_at)
);
comment on table suppression is 'Who was erased, as keyed hashes: late batches, imports and backups do not bring her back.';

create table suppression_state (
    only_row  boolean primary key default true check (only_row),
    key_check bytea not null,                -- a hash of nothing under the key: another key is noticed
    version   bigint not null default 0,     -- counts changes of the list
    adopted   bigint not null default 0      -- the version up to which engines, snapshots and presence know nobody erased
);

create table erasure (
    erasure_id   uuid primary key,
    subject_hash bytea,                      -- of the profile; null until the job has begun
    source       text not null check (source in ('request', 'retention', 'restored')),
    asked_by     text not null,
    asked_at     timestamptz not null default clock_timestamp(),
    state        text not null default 'waiting' check (state in ('waiting', 'running', 'done')),
    version      bigint,                     -- of the suppression list that holds her devices
    finished_at  timestamptz
);
create index erasure_open on erasure (asked_at) where state <> 'done';
create index erasure_newest on erasure (asked_at desc, erasure_id);
comment on table erasure is 'A person who is erased; the receipt is erasure_place.';

-- Whom it is about, only for as long as the job runs: it goes with the last step.
create table erasure_subject (
    erasure_id uuid not null references erasure on delete cascade,
    kind       text not null check (kind in ('profile', 'device')),
    value      uuid not null,
    from_at    timestamptz not null default '-infinity',
    until_at   timestamptz not null default 'infinity',
    primary key (erasure_id, kind, value, from_at)
);

create table erasure_place (
    erasure_id  uuid not null references erasure on delete cascade,
    place       text not null,
    turn        integer not null,            -- in which order
    rows        bigint not null default 0,   -- that went, or were rewritten
    cursor      jsonb,                       -- how far a place that is read through has come
    begun_at    timestamptz,
    finished_at timestamptz,
    verified    text,                        -- how it was seen that nothing is left
    primary key (erasure_id, place)
);
comment on table erasure_place is 'The receipt: one row a place. No identity stands in it.';

alter table signal_log add column redacted integer not null default 0; -- signals that were erased; sha256 stays the message's
comment on column signal_log.redacted is 'Signals of erased people that were taken out of the batch; its cursor stays.';

create table retention_run (
    run_no      bigint generated always as identity primary key,
    kind        text not null,
    before_at   timestamptz not null,
    rows        bigint not null,             -- that went; chunks for hypertables
    unit        text not null check (unit in ('rows', 'chunks', 'people')),
    finished_at timestamptz not null default clock_timestamp()
);
create index retention_run_newest on retention_run (finished_at desc);
comment on table retention_run is 'What retention took away, when there was something.';
