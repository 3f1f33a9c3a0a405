-- Corrections of visits that were reported: what stood there before, why it changed, and which signals came too late.

alter table zone_visit add column withdrawn boolean not null default false;
alter table store_visit add column withdrawn boolean not null default false;
comment on column zone_visit.withdrawn is 'Decoding again did not find it; it counts nowhere, visit_revision says why.';
comment on column store_visit.withdrawn is 'Decoding again did not find it; it counts nowhere, visit_revision says why.';

create table visit_revision (
    visit_id      uuid not null,
    revision      integer not null,        -- the one that came of it; 0 where the visit was added
    store_no      integer not null references store,
    device        uuid not null,           -- so that erasure finds it
    kind          smallint not null,       -- core.records.VisitKind
    change        text not null check (change in ('added', 'corrected', 'withdrawn', 'restored')),
    reason        text not null check (reason in ('late_signals', 'new_model', 'by_hand')),
    model_version integer not null,        -- decoded under it; 0: the priors
    revised_at    timestamptz not null default now(),
    before        jsonb,                   -- the row that stood there, without its device; null where none did
    primary key (visit_id, revision)
);
create index visit_revision_time on visit_revision (store_no, revised_at desc);
create index visit_revision_device on visit_revision (device);
comment on table visit_revision is 'Every change of a visit after it was reported.';

-- Rows of the log of which the engine left signals out, because they came behind the watermark.
create table late_batch (
    store_no    integer not null references store,
    log_no      bigint not null,
    signals     integer not null,          -- that were late
    received_at timestamptz not null,
    revised_at  timestamptz,               -- null until the visits it speaks of were decoded again
    primary key (store_no, log_no)
);
create index late_batch_open on late_batch (store_no, log_no) where revised_at is null;
comment on table late_batch is 'Batches with late signals, and whether visits have been revised for them.';

alter table ingest_status add column late_open bigint not null default 0;      -- late batches that still wait
alter table ingest_status add column visits_revised bigint not null default 0; -- by ingest itself since started_at
