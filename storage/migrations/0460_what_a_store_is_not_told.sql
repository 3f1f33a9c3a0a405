-- What somebody bound to stores tells of a customer whom they do not know is kept with her, and lets no store know her:
-- else whoever reads a store's customers could make anybody one of them, or find out that she is one elsewhere.
create or replace function know_by_row() returns trigger language plpgsql security definer set search_path = public as $$
begin
    if new.profile_id is not null and new.store_no is not null
       and coalesce(current_setting('sojourn.lets_nobody_know', true), '') <> 'on' then
        perform know_profile(new.profile_id, new.store_no);
    end if;
    return null;
end $$;
