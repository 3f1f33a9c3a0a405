-- The list of profiles is read page by page in the order of names.
create index profile_name on profile (lower(display_name), profile_id);
