-- Calibrations as versioned artefacts, and when each was taken into use.

create table model (
    store_no         integer not null references store,
    version          integer not null,        -- counts from 1 within a store; 0 stands for the priors everywhere
    model            bytea not null,          -- as core.dwell.model.dump wrote it
    origin           text not null check (origin in ('learnt', 'loaded')), -- from the store's log, or from a file
    signals          bigint not null,         -- that it was learnt from
    after_log_no     bigint,                  -- span of the log: rows after this one
    through_log_no   bigint,                  -- up to this one; null for a loaded model
    from_at          timestamptz,             -- arrival of the span's first and last row
    until_at         timestamptz,
    plan_fingerprint bytea not null,
    made_at          timestamptz not null default clock_timestamp(),
    primary key (store_no, version),
    check (version >= 1)
);
alter table model alter column model set storage external;
comment on table model is 'What the anchors of a store sound like, learnt from signals.';

-- What somebody wants to be used; `model_asked` counts the wishes, so that the same version can be asked for again.
alter table store add column model_wanted integer not null default 0;
alter table store add column model_asked integer not null default 0;

-- Models as ingest took them into use; from `log_no` on, signals are decoded under this one.
create table adopted_model (
    store_no   integer not null references store,
    log_no     bigint not null default nextval('log_order'),
    version    integer not null,
    asked      integer not null,              -- which wish this answers
    adopted_at timestamptz not null default clock_timestamp(),
    primary key (store_no, log_no)
);
comment on table adopted_model is 'Which model the signals of a store were decoded under, and since when.';

alter table zone_visit add column model_version integer not null default 0;
alter table store_visit add column model_version integer not null default 0;
comment on column zone_visit.model_version is 'The model in use when the visit was decided; 0: the priors.';
comment on column store_visit.model_version is 'The model in use when the visit was decided; 0: the priors.';
alter table engine_progress add column model_version integer not null default 0;
alter table engine_snapshot add column model_version integer not null default 0;
