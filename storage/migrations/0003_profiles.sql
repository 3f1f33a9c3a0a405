-- Customers who consented, and what joins their devices to visits. The join fails closed.

create table profile (
    profile_id   uuid primary key default gen_random_uuid(),
    display_name text not null,
    loyalty_tier text,
    created_at   timestamptz not null default now()
);

-- Append-only: a withdrawal is a new row.
create table consent_event (
    consent_no  bigint generated always as identity primary key,
    profile_id  uuid not null references profile,
    purpose     text not null,                -- e.g. in_store_journey
    status      text not null check (status in ('granted', 'withdrawn')),
    source      text not null,                -- e.g. app, till, web
    wording     text not null,                -- version of the text that was agreed to
    occurred_at timestamptz not null,
    expires_at  timestamptz
);
create index consent_event_current on consent_event (profile_id, purpose, occurred_at desc, consent_no desc);

create view consent_current as
select distinct on (profile_id, purpose)
       profile_id, purpose, status, source, wording, occurred_at, expires_at,
       status = 'granted' and (expires_at is null or expires_at > now()) as holds
  from consent_event
 where occurred_at <= now()
 order by profile_id, purpose, occurred_at desc, consent_no desc;

create extension if not exists btree_gist;

create table device_link (
    device     uuid not null,                 -- stable pseudonym, only ever made after consent
    profile_id uuid not null references profile,
    valid_from timestamptz not null,
    valid_to   timestamptz,                   -- null while it holds
    primary key (device, valid_from),
    check (valid_to > valid_from),
    -- a device never belongs to two people at once: its visits would show on the wrong profile
    exclude using gist (device with =, tstzrange(valid_from, valid_to) with &&)
);
create index device_link_profile on device_link (profile_id);

create view profile_device as
select link.device, link.profile_id, link.valid_from, coalesce(link.valid_to, 'infinity') as valid_to
  from device_link link
  join consent_current consent using (profile_id)
 where consent.purpose = 'in_store_journey' and consent.holds;
comment on view profile_device is 'Links that may be followed now: without consent there is no row.';
