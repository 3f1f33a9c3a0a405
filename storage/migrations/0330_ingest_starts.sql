-- An ingest that starts says so: it has no broker yet because it compiles its kernels (once for each version of the
-- program) or replays the log, not because the broker is away.

alter table ingest_status add column starting boolean not null default false;
