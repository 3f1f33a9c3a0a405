-- Who carries a device: who stays for most of a day is no visitor.

create table role (code smallint primary key, word text not null unique);
insert into role values (0, 'visitor'), (1, 'fixture'), (2, 'staff');
comment on table role is 'Who carries a device; core.records.Role.';

alter table zone_visit add column role smallint not null default 0;   -- as it was known when the visit was decided
alter table store_visit add column role smallint not null default 0;
alter table presence add column role smallint not null default 0;
