-- Which ingest a store belongs to while several share the stores of a chain (docs/adr/0018-kafka-consumer-groups.md).

create table store_owner (
    store_no   integer primary key references store,
    epoch      bigint not null,               -- rises with every claim: who holds an older one can no longer write
    owner      text not null,                 -- application_name of the ingest's connection
    claimed_at timestamptz not null default clock_timestamp(),
    suppression bigint not null default 0     -- version of the suppression list that the owner's engine knows
);
comment on table store_owner is 'The ingest that writes for a store, where several share a database.';
