-- What an import of profiles changed, so that it can be taken back.

create table profile_change (
    import_no    bigint not null references input_import,
    profile_id   uuid not null references profile,
    made         boolean not null,             -- the import made it: taking back removes it
    display_name text not null,                -- before the import, as the tier
    loyalty_tier text,
    primary key (import_no, profile_id)
);
comment on table profile_change is 'Profiles as they were before an import; consents stay, the ledger is append-only.';
