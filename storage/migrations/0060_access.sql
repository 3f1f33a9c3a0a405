-- People who log in, their sessions, keys of programs, and which stores know a profile.

create table account (
    account_id      uuid primary key default gen_random_uuid(),
    name            text not null check (name ~ '^[a-z0-9][a-z0-9._@-]{0,63}$'),  -- what is typed at login
    display_name    text not null,
    roles           text[] not null check (roles <@ array['operations', 'crm', 'privacy', 'admin', 'edge']),
    stores          text[],                   -- ids; null: every store
    password_hash   text,                     -- argon2id with its parameters; null until one was chosen
    one_time_sha256 bytea,                    -- a secret of 160 bits that lets its holder choose a password, once
    one_time_until  timestamptz,
    totp_secret     text,                     -- null: no second step
    totp_step       bigint not null default 0,  -- the newest step that was used: no code counts twice
    subject         text unique,              -- issuer and subject at the identity provider
    made_at         timestamptz not null default clock_timestamp(),
    made_by         text not null,
    disabled_at     timestamptz
);
create unique index account_name on account (name);
comment on table account is 'People who may log in. Nobody is deleted: who wrote something stays known; see disabled_at.';

create table account_recovery (
    account_id  uuid not null references account on delete cascade,
    code_sha256 bytea not null,
    used_at     timestamptz,
    primary key (account_id, code_sha256)
);
comment on table account_recovery is 'Codes of 80 bits, each once instead of the second step.';

create table account_session (
    session_sha256 bytea primary key,         -- the session itself is in one browser and nowhere else
    session_no     bigint generated always as identity unique,
    account_id     uuid not null references account on delete cascade,
    stage          text not null check (stage in ('full', 'second_step', 'new_password')),
    made_at        timestamptz not null default clock_timestamp(),
    seen_at        timestamptz not null default clock_timestamp(),
    ends_at        timestamptz not null,      -- however busy it is
    agent          text not null              -- the browser, for the list of one's own sessions
);
create index account_session_account on account_session (account_id);
create index account_session_end on account_session (ends_at);

create table api_key (
    key_no       bigint generated always as identity primary key,
    key_sha256   bytea not null unique,       -- 256 random bits need no slow hash: nobody guesses them
    prefix       text not null,               -- how people tell keys apart
    name         text not null,
    roles        text[] not null check (roles <@ array['operations', 'crm', 'privacy', 'admin', 'edge']),
    stores       text[],
    made_at      timestamptz not null default clock_timestamp(),
    made_by      text not null,
    ends_at      timestamptz not null,
    revoked_at   timestamptz,
    last_used_at timestamptz,                 -- to the minute
    replaced_by  bigint references api_key
);
comment on table api_key is 'Keys of programs: roles and stores are their scopes.';

create table profile_read (
    principal  text not null,                 -- account or key
    day        date not null,
    profile_id uuid not null references profile on delete cascade,
    primary key (principal, day, profile_id)
);
create index profile_read_age on profile_read (day);
create index profile_read_profile on profile_read (profile_id);
comment on table profile_read is 'Whose profile somebody opened on a day: a budget that a restart does not give back.';

-- Which stores know a profile: a visit, a note or an event there. Who is bound to stores sees the profiles of these.
create table profile_store (
    profile_id uuid not null references profile on delete cascade,
    store_no   integer not null references store,
    primary key (profile_id, store_no)
);
create index profile_store_store on profile_store (store_no, profile_id);
comment on table profile_store is 'A store knows a profile by a visit of one of its devices, a note or an event there.';

create function know_profile(profile uuid, store integer) returns void language sql security definer
    set search_path = public as $$
    insert into profile_store (profile_id, store_no)
    select known.profile_id, know_profile.store
      from (select profile as profile_id union select merged_into from profile one
             where one.profile_id = profile and merged_into is not null) known
    on conflict do nothing
$$;

revoke execute on function know_profile from public;  -- else somebody could make himself known to a profile

create function know_by_device() returns trigger language plpgsql security definer set search_path = public as $$
begin
    perform know_profile(link.profile_id, new.store_no) from device_link link
      where link.device = new.device and link.undone_at is null;
    return null;
end $$;
create trigger store_visit_known after insert on store_visit for each row execute function know_by_device();
create trigger presence_known after insert on presence for each row execute function know_by_device();

create function know_by_link() returns trigger language plpgsql security definer set search_path = public as $$
begin
    perform know_profile(new.profile_id, seen.store_no) from (
        select store_no from store_visit where device = new.device
         union select store_no from presence where device = new.device) seen;
    return null;
end $$;
create trigger device_link_known after insert on device_link for each row execute function know_by_link();

create function know_by_row() returns trigger language plpgsql security definer set search_path = public as $$
begin
    if new.profile_id is not null and new.store_no is not null then
        perform know_profile(new.profile_id, new.store_no);
    end if;
    return null;
end $$;
create trigger note_known after insert on note for each row execute function know_by_row();
create trigger customer_event_known after insert on customer_event for each row execute function know_by_row();

create function know_by_merge() returns trigger language plpgsql security definer set search_path = public as $$
begin
    insert into profile_store (profile_id, store_no)
        select new.merged_into, store_no from profile_store where profile_id = new.profile_id on conflict do nothing;
    return null;
end $$;
create trigger profile_merge_known after update of merged_into on profile for each row
    when (new.merged_into is not null) execute function know_by_merge();

insert into profile_store (profile_id, store_no)
select profile_id, store_no from note where profile_id is not null and store_no is not null
 union select profile_id, store_no from customer_event where store_no is not null
 union select link.profile_id, visit.store_no from device_link link join store_visit visit using (device)
        where link.undone_at is null
 union select link.profile_id, presence.store_no from device_link link join presence using (device)
        where link.undone_at is null
 on conflict do nothing;
insert into profile_store (profile_id, store_no)
select merged_into, store_no from profile join profile_store using (profile_id) where merged_into is not null
 on conflict do nothing;

-- The stores that whoever is served now is bound to; the API says so for each transaction.
create function own_store_nos() returns integer[] language sql stable security definer set search_path = public as $$
    select coalesce(array_agg(store_no), '{}') from store
     where id = any(string_to_array(current_setting('sojourn.stores', true), ','))
$$;

create table access_granted (
    one    boolean primary key default true check (one),
    sha256 bytea not null
);
comment on table access_granted is 'Digest of the grants and policies that hold; see storage.access.grants.';
