-- Whoever is bound to stores finds names by the index of trigrams, too. Under a policy PostgreSQL applies `like` only
-- after the policy, because it could tell of hidden rows, and then no index serves it; here the index comes first, in
-- the owner's right, and only profiles that an own store knows come out.

create function own_profiles_named(part text, of_purpose text, after_name text, after_id uuid, most integer)
returns setof uuid language sql stable security definer set search_path = public, pg_temp as $$
    with named as materialized (  -- first: a store may know a hundred times as many profiles as have the part
        select profile_id, lower(display_name) as name from profile
         where merged_into is null and removed_at is null and lower(display_name) like '%' || lower(part) || '%')
    select named.profile_id
      from named cross join lateral (select from consent_current consent
                  where consent.profile_id = named.profile_id and purpose = of_purpose and holds limit 1) consent
     where (after_name is null or (name, named.profile_id) > (lower(after_name), after_id))
       and exists (select from profile_store known where known.profile_id = named.profile_id
                      and known.store_no = any((select own_store_nos())::integer[]))
     order by name, named.profile_id limit most
$$;
comment on function own_profiles_named is
    'The next profiles that own stores know whose name holds `part` (as like reads it), in the order of their names.';
revoke execute on function own_profiles_named from public;  -- else a name could be guessed letter by letter
