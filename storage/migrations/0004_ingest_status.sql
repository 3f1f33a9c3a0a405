-- What ingest says about itself, so that others can tell how far behind the data is.

create table ingest_status (
    only_row      boolean primary key default true check (only_row),
    started_at    timestamptz not null,
    changed_at    timestamptz not null,       -- a row older than half a minute means that no ingest runs
    broker        text not null check (broker in ('connected', 'away')),
    queued        integer not null,           -- messages received and not yet committed
    parked        integer not null,           -- batches that wait for an earlier one
    batches       bigint not null,            -- logged since started_at
    signals       bigint not null,            -- logged since started_at
    repeated      bigint not null,            -- batches that were in the log already
    dead_letters  bigint not null,
    newest_signal_at timestamptz,             -- newest signal that went into an engine
    committed_at  timestamptz                 -- last commit to the signal log
);
comment on table ingest_status is 'One row: how the running ingest fares.';
