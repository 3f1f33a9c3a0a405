-- The budget of profiles that somebody opens in a day, counted as that of people whom lists show (0290).

create function open_profile(who text, wanted uuid, most integer) returns boolean language plpgsql
    set search_path = public, pg_temp as $$
declare
    today constant date := (clock_timestamp() at time zone 'UTC')::date;
begin
    for turn in 1..2 loop
        if exists (select from profile_read where principal = who and day = today and profile_id = wanted)
           or not exists (select from profile where profile_id = wanted) then
            return true;                      -- what is open already waits for nobody
        end if;
        -- one after the other of one principal: side by side each would find the last room
        perform pg_advisory_xact_lock(hashtextextended(who, 361));
    end loop;
    if (select count(*) from profile_read where principal = who and day = today) >= most then
        return false;
    end if;
    insert into profile_read (principal, day, profile_id) values (who, today, wanted);
    return true;
end $$;
comment on function open_profile is 'Whether somebody may open this profile today; if so it is counted, once.';
