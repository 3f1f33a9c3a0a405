-- Consent as a ledger that nobody rewrites, links that can be taken back, and whose record an identifier means.

alter table consent_event add column recorded_at timestamptz not null default clock_timestamp(); -- when it was heard of
alter table consent_event add column source_key text;       -- its name at the source: what is sent twice counts once
create unique index consent_event_source on consent_event (source, source_key) where source_key is not null;

create or replace view consent_current as
select distinct on (profile_id, purpose)
       profile_id, purpose, status, source, wording, occurred_at, expires_at,
       status = 'granted' and (expires_at is null or expires_at > now()) as holds, consent_no
  from consent_event
 where occurred_at <= now()
 order by profile_id, purpose, occurred_at desc, consent_no desc;

create function refuse_rewriting() returns trigger language plpgsql as $$
begin
    -- erasure is the one reason to take rows away; it says so for its own transaction
    if tg_op = 'DELETE' and current_setting('sojourn.erasing', true) = 'on' then
        return old;
    end if;
    raise exception '% is append-only: add a row instead', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger consent_event_append_only before update or delete on consent_event
    for each row execute function refuse_rewriting();

alter table profile add column merged_into uuid references profile; -- a person said that both are one; null undoes it
alter table profile add column removed_at timestamptz;              -- the import that made it was reverted
create index profile_merged on profile (merged_into) where merged_into is not null;

create view person as
select profile_id, coalesce(merged_into, profile_id) as kept_id from profile where removed_at is null;
create index profile_person on profile ((coalesce(merged_into, profile_id))) where removed_at is null;
comment on view person is 'Which profile stands for a profile: itself, or the one that it was merged into.';

-- When a consent held: from a grant to the next word on the same purpose, or until it expired.
create view consent_held as
select profile_id, purpose, occurred_at as valid_from,
       least(coalesce(next_at, 'infinity'), coalesce(expires_at, 'infinity')) as valid_to
  from (select profile_id, purpose, status, occurred_at, expires_at,
               lead(occurred_at) over (partition by profile_id, purpose order by occurred_at, consent_no) as next_at
          from consent_event where occurred_at <= now()) word
 where status = 'granted' and least(coalesce(next_at, 'infinity'), coalesce(expires_at, 'infinity')) > occurred_at;

alter table device_link drop constraint device_link_pkey;
alter table device_link add column link_no bigint generated always as identity primary key;
alter table device_link add column undone_at timestamptz;  -- it never was true: nothing is joined by it
alter table device_link add column changed_because text;
do $$
declare held text;
begin
    select conname into held from pg_constraint where conrelid = 'device_link'::regclass and contype = 'x';
    execute format('alter table device_link drop constraint %I', held);
end $$;
alter table device_link add constraint device_link_one_person
    exclude using gist (device with =, tstzrange(valid_from, valid_to) with &&) where (undone_at is null);

create table blocked_device (
    block_no   bigint generated always as identity primary key,
    device     uuid not null,
    because    text not null check (because in ('kiosk', 'staff', 'shared')),
    blocked_at timestamptz not null default now(),
    lifted_at  timestamptz
);
create unique index blocked_device_now on blocked_device (device) where lifted_at is null;
comment on table blocked_device is 'Devices that are nobody in particular: never joined to a profile.';

create function consent_holds(profile uuid, asked text) returns boolean language sql stable as $$
    select coalesce((select status = 'granted' and (expires_at is null or expires_at > now())
                       from consent_event
                      where profile_id = profile and purpose = asked and occurred_at <= now()
                      order by occurred_at desc, consent_no desc limit 1), false)
$$;
comment on function consent_holds is 'Whether the newest word on a purpose is a grant that has not expired; false without any.';

create or replace view profile_device as
select link.device, person.kept_id as profile_id,
       greatest(link.valid_from, held.valid_from) as valid_from,
       least(coalesce(link.valid_to, 'infinity'), held.valid_to) as valid_to
  from person
  join device_link link using (profile_id)
  -- lateral: a window over one profile's few words, not over the whole ledger
 cross join lateral (select * from consent_held
                      where consent_held.profile_id = person.profile_id and purpose = 'in_store_journey' offset 0) held
 where link.undone_at is null
   and greatest(link.valid_from, held.valid_from) < least(coalesce(link.valid_to, 'infinity'), held.valid_to)
   -- and it holds now, for the profile itself and for the one that stands for it
   and consent_holds(person.profile_id, 'in_store_journey')
   and consent_holds(person.kept_id, 'in_store_journey')
   and not exists (select from blocked_device blocked where blocked.device = link.device and blocked.lifted_at is null);
comment on view profile_device is
    'Links that may be followed now, for as long as consent held: without consent there is no row.';

create table profile_identifier (
    identifier_no bigint generated always as identity primary key,
    profile_id    uuid not null references profile,
    kind          text not null,               -- core.resolution.KINDS
    value         text not null,               -- normalised
    source        text not null,
    linked_at     timestamptz not null default clock_timestamp(),
    ended_at      timestamptz
);
create unique index profile_identifier_now on profile_identifier (kind, value) where ended_at is null;
create index profile_identifier_profile on profile_identifier (profile_id);

create table identity_case (
    case_no     bigint generated always as identity primary key,
    profiles    uuid[] not null,              -- sorted; two or more that may be one person
    source      text not null,
    identifiers jsonb not null,               -- the kinds that came together; values stay with their profiles
    opened_at   timestamptz not null default clock_timestamp(),
    status      text not null default 'open' check (status in ('open', 'same', 'different')),
    decided_at  timestamptz,
    decided_by  text,
    undone_at   timestamptz
);
create unique index identity_case_once on identity_case (profiles) where undone_at is null; -- asked once, not daily
comment on table identity_case is 'Two identified profiles are never merged by a program: a person decides.';
