-- Links by the version of the key that made a pseudonym, so that a rotation of keys loses nobody.

alter table device_link add column key_version smallint;  -- null: before the first rotation
alter table device_link add column replaces uuid;         -- what the same device was called under the key before
create index device_link_replaces on device_link (replaces) where replaces is not null;
comment on column device_link.replaces is 'Both links hold during an overlap; the older one ends when its key is retired.';
