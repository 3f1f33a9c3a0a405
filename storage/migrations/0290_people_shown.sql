-- How many different people somebody was shown in a day, in lists, notes and tasks: a second budget beside that of
-- opened profiles. It is counted in the statement that enters the look, so that nothing is shown uncounted.

create table profile_shown (
    principal  text not null,                 -- account or key
    day        date not null,                 -- in UTC
    -- no foreign key: it would lock the profiles of a whole page for each look; an erasure counts this place once more
    profile_id uuid not null,
    primary key (principal, day, profile_id)
);
comment on table profile_shown is 'Whom lists showed to somebody on a day: a budget that a restart does not give back.';

create function show_people(who text, people uuid[], most integer) returns boolean language plpgsql
    set search_path = public, pg_temp as $$
declare
    today constant date := (clock_timestamp() at time zone 'UTC')::date;
    fresh uuid[];
begin
    for turn in 1..2 loop
        fresh := array(select distinct person from unnest(people) person where not exists
                        (select from profile_shown where principal = who and day = today and profile_id = person));
        if cardinality(fresh) = 0 then
            return true;                      -- a list that is loaded anew waits for nobody
        end if;
        -- one after the other of one principal: side by side each would find room that both together do not have
        perform pg_advisory_xact_lock(hashtextextended(who, 290));
    end loop;
    if (select count(*) from profile_shown where principal = who and day = today) + cardinality(fresh) > most then
        return false;
    end if;
    insert into profile_shown select who, today, person from unnest(fresh) person;
    return true;
end $$;
comment on function show_people is 'Whether somebody may be shown these people today, all or none; if so they are counted.';
