-- What an import of customers wrote, so that it is not taken back over what came later by other ways.

alter table profile_change add column written_name text;      -- null: noted before this was kept
alter table profile_change add column written_tier text;
alter table profile_change add column noted_at timestamptz;
