-- Who answers for a key, and the audit's word of it: entries of a program name the person that it works for.

alter table api_key add column owner_id uuid references account;
create index api_key_owner on api_key (owner_id) where owner_id is not null;
comment on column api_key.owner_id is 'The person whom a key works for; null: of the house, made by whoever made_by says.';

-- As in 0080, with `works_for` and `says_for` put into the detail, which the chain covers: changes by triggers say them
-- too, because a transaction states them with who is at work.
create or replace function audit_enter(said jsonb, people uuid[] default '{}', salts bytea[] default null)
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
            coalesce(said -> 'detail', '{}')
            || jsonb_strip_nulls(jsonb_build_object('works_for', said -> 'works_for', 'says_for', said -> 'says_for')))
    returning entry_no into number;
    insert into audit_subject (entry_no, place, profile_id, salt)
    select number, place, person, salt from unnest(people, salts) with ordinality as one (person, salt, place);
    insert into audit_waiting values (number);
    return number;
end $$;

create index audit_entry_works_for on audit_entry ((detail ->> 'works_for'), at desc) where detail ? 'works_for';
create index audit_entry_says_for on audit_entry ((detail ->> 'says_for'), at desc) where detail ? 'says_for';
