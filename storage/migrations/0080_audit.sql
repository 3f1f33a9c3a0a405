-- Who looked at whom and who changed what: entries that nobody rewrites, chained by hashes. docs/adr/0016-audit-chain.md

create table audit_entry (
    entry_no    bigint generated always as identity primary key,
    at          timestamptz not null,
    actor       text not null,                -- a person's or key's name, or the program
    actor_id    text,                         -- of the account or the key, which outlives a change of name
    actor_kind  text not null,                -- core.audit.words.ACTORS
    role        text,                         -- in which roles, where they are known
    stores      text[],                       -- whose stores the person works for; null: not told, or all
    purpose     text not null,                -- core.audit.words.PURPOSES
    kind        text not null,                -- core.audit.words.KINDS
    route       text not null,                -- of the API, or the program
    outcome     text not null,                -- done or refused
    fields      text[] not null,              -- which parts of a profile, or the table that changed
    commitments bytea[] not null,             -- one for each person: SHA-256 of a salt and the profile
    detail      jsonb not null                -- counts and digests; never contents
);
create index audit_entry_newest on audit_entry (at desc, entry_no desc);
create index audit_entry_actor on audit_entry (actor, at desc);
create index audit_entry_kind on audit_entry (kind, at desc);
comment on table audit_entry is 'What was read and changed, by whom and what for; append-only and chained (audit_link).';

create table audit_subject (
    entry_no   bigint not null references audit_entry on delete cascade,
    place      integer not null,              -- of its commitment, from 1
    profile_id uuid,                          -- no foreign key: the entry outlives the profile
    salt       bytea,                         -- opens the commitment; gone with the person
    pseudonym  bytea,                         -- after erasure: a keyed hash in place of the profile
    primary key (entry_no, place),
    check (num_nonnulls(profile_id, pseudonym) = 1 and (salt is null) = (profile_id is null))
);
create index audit_subject_profile on audit_subject (profile_id, entry_no desc) where profile_id is not null;
create index audit_subject_pseudonym on audit_subject (pseudonym) where pseudonym is not null;
comment on table audit_subject is 'Whom an entry is about. Erasure replaces the profile; the chain holds, since it covers commitments only.';

create table audit_waiting (entry_no bigint primary key references audit_entry on delete cascade);
comment on table audit_waiting is 'Entries that the next seal chains, within a second or so.';

create table audit_link (
    link_no   bigint primary key,
    entry_no  bigint not null unique,
    sealed_on date not null,                  -- day in UTC; its last link is the head of the day
    hash      bytea not null                  -- core.audit.chain
);
create index audit_link_day on audit_link (sealed_on, link_no);
comment on table audit_link is 'The chain: each hash covers an entry and the hash before.';

create table audit_start (
    link_no  bigint primary key,              -- the last link that retention took away
    hash     bytea not null,
    begun_at timestamptz not null default clock_timestamp()
);
comment on table audit_start is 'Where the chain begins after retention took its oldest days away.';

create function audit_refuse() returns trigger language plpgsql as $$
begin
    -- retention is the one reason to take rows away, the oldest first; it says so for its own transaction
    if tg_op = 'DELETE' and current_setting('sojourn.forgetting', true) = 'on' then
        return old;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;
create function audit_subject_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('sojourn.forgetting', true) = 'on' then
        return old;
    end if;
    -- the one change there is: a profile becomes a pseudonym, and its salt goes
    if tg_op = 'UPDATE' and new.entry_no = old.entry_no and new.place = old.place and old.profile_id is not null
       and new.profile_id is null and new.salt is null and new.pseudonym is not null then
        return new;
    end if;
    raise exception 'audit_subject is append-only' using errcode = 'restrict_violation';
end $$;
do $$
declare one text;
begin
    foreach one in array array['audit_entry', 'audit_link', 'audit_start'] loop
        execute format('create trigger append_only before update or delete on %I for each row execute function audit_refuse()', one);
        execute format('create trigger never_emptied before truncate on %I for each statement execute function audit_refuse()', one);
        execute format('revoke update, delete, truncate on %I from public', one);
    end loop;
end $$;
create trigger append_only before update or delete on audit_subject for each row execute function audit_subject_guard();
create trigger never_emptied before truncate on audit_subject for each statement execute function audit_refuse();
create trigger never_emptied before truncate on audit_waiting for each statement execute function audit_refuse();
revoke delete, truncate on audit_subject from public;

-- One entry in one round trip. `said` names the columns; what it leaves out is the program's own.
create function audit_enter(said jsonb, people uuid[] default '{}', salts bytea[] default null)
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    number bigint;
begin
    if salts is null then
        select coalesce(array_agg(uuid_send(gen_random_uuid())), '{}') into salts from unnest(people);
    end if;
    insert into audit_entry (at, actor, actor_id, actor_kind, role, stores, purpose, kind, route, outcome, fields, commitments, detail)
    values (coalesce((said ->> 'at')::timestamptz, clock_timestamp()),
            coalesce(said ->> 'actor', current_setting('application_name'), 'unknown'),
            said ->> 'actor_id',
            coalesce(said ->> 'actor_kind', 'program'),
            said ->> 'role',
            case when jsonb_typeof(said -> 'stores') = 'array' then array(select jsonb_array_elements_text(said -> 'stores')) end,
            coalesce(said ->> 'purpose', 'operation'),
            said ->> 'kind',
            coalesce(said ->> 'route', current_setting('application_name'), 'unknown'),
            coalesce(said ->> 'outcome', 'done'),
            array(select jsonb_array_elements_text(coalesce(said -> 'fields', '[]'))),
            array(select sha256(salt || uuid_send(person)) from unnest(people, salts) with ordinality as one (person, salt, place)
                   order by place),
            coalesce(said -> 'detail', '{}'))
    returning entry_no into number;
    insert into audit_subject (entry_no, place, profile_id, salt)
    select number, place, person, salt from unnest(people, salts) with ordinality as one (person, salt, place);
    insert into audit_waiting values (number);
    return number;
end $$;
comment on function audit_enter is 'Write one entry about these profiles; see storage.audit.entries.';

-- After a statement on a table about people: how many rows, whose, and digests of what stood there before and after.
-- The digests are salted with the salt of the first person, so that they say nothing once that person is erased.
create function audit_change() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    most constant integer := 1000;            -- people of one call; a file of more is found by its import
    whose constant text := tg_argv[0];
    line constant text := case when tg_argv[1] = '' then 'one::text'
                               else format('(to_jsonb(one) - %L::text[])::text', tg_argv[1]) end;
    salt constant bytea := uuid_send(gen_random_uuid());
    digests jsonb := '{}';
    people uuid[] := '{}';
    side text;
    digest bytea;
    whom uuid[];
    seen bigint := 0;
begin
    foreach side in array case tg_op when 'INSERT' then array['after'] when 'DELETE' then array['before']
                                     else array['before', 'after'] end loop
        execute format('select count(*), sha256($1 || coalesce(string_agg(digest, '''' order by digest), ''''))'
                       '  from (select sha256($1 || convert_to(%s, ''UTF8'')) as digest from rows_%s one) digests', line, side)
           into seen, digest using salt;
        digests := digests || jsonb_build_object(side, encode(digest, 'hex'));
        execute format('select array_agg(person) from (select distinct (%s) as person from rows_%s one limit %s) persons'
                       ' where person is not null', whose, side, most)
           into whom;
        people := array(select distinct person from unnest(people || whom) person order by 1 limit most);
    end loop;
    if seen = 0 or digests ->> 'before' = digests ->> 'after' then
        return null;                          -- nothing is otherwise than before
    end if;
    perform audit_enter(
        coalesce(nullif(current_setting('sojourn.acting', true), ''), '{}')::jsonb
        || jsonb_build_object('kind', 'change', 'fields', jsonb_build_array(tg_table_name),
                              'detail', digests || jsonb_build_object('change', lower(tg_op), 'rows', seen)),
        people,
        array(select case place when 1 then salt else uuid_send(gen_random_uuid()) end
                from generate_series(1, cardinality(people)) place));
    return null;
end $$;

create function audit_changes_of(of regclass, whose text, passed_over text[] default '{}') returns void language plpgsql as $$
declare
    passed text := case when passed_over = '{}' then '' else passed_over::text end;
begin
    execute format('create trigger audit_insert after insert on %s referencing new table as rows_after'
                   ' for each statement execute function audit_change(%L, %L)', of, whose, passed);
    execute format('create trigger audit_update after update on %s referencing old table as rows_before new table as rows_after'
                   ' for each statement execute function audit_change(%L, %L)', of, whose, passed);
    execute format('create trigger audit_delete after delete on %s referencing old table as rows_before'
                   ' for each statement execute function audit_change(%L, %L)', of, whose, passed);
end $$;
comment on function audit_changes_of is
    'Let every change of a table be entered; `whose` is SQL for the profile of the row `one`. New tables about people call it.';

select audit_changes_of(of::regclass, whose) from (values
    ('profile', 'one.profile_id'),
    ('consent_event', 'one.profile_id'),
    ('device_link', 'one.profile_id'),
    ('profile_identifier', 'one.profile_id'),
    ('identity_case', 'unnest(one.profiles)'),
    ('blocked_device', 'null::uuid'),
    ('customer_event', 'one.profile_id'),
    ('profile_change', 'one.profile_id'),
    ('card_ticket', 'one.profile_id'),
    ('note', 'one.profile_id'),
    ('note_revision', 'select profile_id from note where note.note_id = one.note_id'),
    ('follow_up', 'coalesce((select profile_id from note where note.note_id = one.note_id),'
                  ' (select profile_id from alert where alert.alert_id = one.alert_id))'),
    ('follow_up_change', 'select coalesce(note.profile_id, alert.profile_id) from follow_up left join note using (note_id)'
                         ' left join alert using (alert_id) where follow_up.follow_up_id = one.follow_up_id'),
    ('alert', 'one.profile_id'),
    ('message', 'one.profile_id'),
    ('cue_log', 'one.profile_id')) as people (of, whose);
-- what a phone tells of itself with each batch is no change of what is kept of a person
select audit_changes_of('app_installation', 'one.profile_id', '{last_seen_at,clock_skew_s,battery_percent}');
