-- Which programs may run on this database. A migration adds only, so that older programs run on while it is applied and
-- after it; one that older programs cannot live with says so in its first line and becomes the floor.
create table schema_floor (
    only_row boolean primary key default true check (only_row),
    needs text not null,            -- the newest migration that a program has to know
    since timestamptz not null default now()
);
comment on table schema_floor is 'The newest migration that a program has to know to run here; storage.migrate.';
insert into schema_floor (needs) values ('0095_schema_floor.sql');
