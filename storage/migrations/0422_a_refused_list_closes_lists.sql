-- Whoever was refused a list because a day holds no more people is refused every list of that day: else the refusal
-- itself tells whether somebody is found. The row without anybody says so, over restarts and in every process.

create or replace function show_people(who text, people uuid[], most integer) returns boolean language plpgsql
    set search_path = public, pg_temp as $$
declare
    nobody constant uuid := '00000000-0000-0000-0000-000000000000';
    today constant date := (clock_timestamp() at time zone 'UTC')::date;
    fresh uuid[];
begin
    for turn in 1..2 loop
        fresh := array(select distinct person from unnest(people) person where not exists
                        (select from profile_shown where principal = who and day = today and profile_id = person));
        if cardinality(fresh) = 0 then
            return true;                      -- a note that is loaded anew waits for nobody
        end if;
        -- one after the other of one principal: side by side each would find room that both together do not have
        perform pg_advisory_xact_lock(hashtextextended(who, 290));
    end loop;
    if (select count(*) from profile_shown where principal = who and day = today and profile_id <> nobody)
       + cardinality(fresh) > most then
        insert into profile_shown values (who, today, nobody) on conflict do nothing;
        return false;
    end if;
    insert into profile_shown select who, today, person from unnest(fresh) person;
    return true;
end $$;

create function lists_are_closed(who text) returns boolean language sql stable
    set search_path = public, pg_temp as $$
    select exists (select from profile_shown where principal = who
                      and day = (clock_timestamp() at time zone 'UTC')::date
                      and profile_id = '00000000-0000-0000-0000-000000000000')
$$;
comment on function lists_are_closed is 'Whether somebody was refused a list today, and so gets none for the rest of it.';
