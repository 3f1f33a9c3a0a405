-- Erasure and retention say for their transaction what they are (`sojourn.forgetting`), and whoever holds the service's
-- login may say the same. So the audit log itself asks whether it is true: nobody of whom no erasure is under way
-- becomes a pseudonym, and nothing goes that every policy keeps.

create function audit_is_kept(entry bigint) returns boolean language sql stable as $$
    -- 366 days: core.privacy.retention, `least` of the kind audit
    select exists (select from audit_entry where entry_no = entry and at >= now() - interval '366 days')
$$;
comment on function audit_is_kept is 'Whether an entry is younger than any policy of retention takes.';

create or replace function audit_refuse() returns trigger language plpgsql as $$
declare
    forgetting constant boolean := tg_op = 'DELETE' and coalesce(current_setting('sojourn.forgetting', true), '') = 'on';
begin
    if forgetting and tg_table_name = 'audit_entry' then
        if old.at < now() - interval '366 days' then
            return old;
        end if;
        raise exception 'audit_entry keeps what is younger than 366 days' using errcode = 'restrict_violation';
    elsif forgetting and tg_table_name = 'audit_link' then
        if not audit_is_kept(old.entry_no) then
            return old;
        end if;
        raise exception 'audit_link keeps what is younger than 366 days' using errcode = 'restrict_violation';
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create function audit_start_guard() returns trigger language plpgsql as $$
begin
    if exists (select from audit_link where link_no = new.link_no and hash = new.hash and not audit_is_kept(entry_no)) then
        return new;
    end if;
    raise exception 'audit_start names the last link that retention takes' using errcode = 'restrict_violation';
end $$;
create trigger a_link_that_was before insert on audit_start for each row execute function audit_start_guard();

create or replace function audit_subject_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('sojourn.forgetting', true) = 'on' and not audit_is_kept(old.entry_no) then
        return old;
    end if;
    -- the one change there is: the profile of somebody who is being erased, and is no profile any more, becomes the
    -- pseudonym of that erasure, and its salt goes
    if tg_op = 'UPDATE' and new.entry_no = old.entry_no and new.place = old.place and old.profile_id is not null
       and new.profile_id is null and new.salt is null and new.pseudonym is not null
       and not exists (select from profile where profile_id = old.profile_id)
       and exists (select from erasure join erasure_subject using (erasure_id)
                    where kind = 'profile' and value = old.profile_id and subject_hash = new.pseudonym) then
        return new;
    end if;
    raise exception 'audit_subject is append-only' using errcode = 'restrict_violation';
end $$;
