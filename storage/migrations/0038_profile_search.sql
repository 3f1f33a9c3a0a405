-- Parts of names are found without reading every profile.
create extension if not exists pg_trgm;
create index profile_name_parts on profile using gin (lower(display_name) gin_trgm_ops);
