-- How old an entry is says the day on which it was sealed, by the clock of the database: its own `at` is said by whoever
-- enters it, and what was said to be old went through retention's door a moment later. The hash of a link covers the
-- day. What is not sealed yet does not go at all. docs/adr/0016-audit-chain.md

create function audit_may_go(sealed_on date) returns boolean language sql stable as $$
    -- 366 days: core.privacy.retention, `least` of the kind audit
    select sealed_on < (now() at time zone 'UTC')::date - 366
$$;
comment on function audit_may_go is 'Whether a link, and what it seals, is older than what any policy of retention keeps.';

create or replace function audit_is_kept(entry bigint) returns boolean language sql stable as $$
    select not exists (select from audit_link where entry_no = entry and audit_may_go(sealed_on))
$$;
comment on function audit_is_kept is 'Whether an entry waits to be sealed, or is younger than any policy of retention takes.';

create or replace function audit_refuse() returns trigger language plpgsql as $$
declare
    forgetting constant boolean := tg_op = 'DELETE' and coalesce(current_setting('sojourn.forgetting', true), '') = 'on';
begin
    if forgetting and tg_table_name = 'audit_entry' then
        if not audit_is_kept(old.entry_no) then
            return old;
        end if;
        raise exception 'audit_entry keeps what is not sealed, or was within 366 days' using errcode = 'restrict_violation';
    elsif forgetting and tg_table_name = 'audit_link' then
        if audit_may_go(old.sealed_on) then
            return old;
        end if;
        raise exception 'audit_link keeps what is younger than 366 days' using errcode = 'restrict_violation';
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

create or replace function audit_start_guard() returns trigger language plpgsql as $$
begin
    if exists (select from audit_link where link_no = new.link_no and hash = new.hash and audit_may_go(sealed_on)) then
        return new;
    end if;
    raise exception 'audit_start names the last link that retention takes' using errcode = 'restrict_violation';
end $$;

create function audit_link_guard() returns trigger language plpgsql as $$
begin
    if new.sealed_on >= (now() at time zone 'UTC')::date then
        return new;
    end if;
    raise exception 'audit_link is sealed today' using errcode = 'restrict_violation';
end $$;
create trigger a_sealed_today before insert on audit_link for each row execute function audit_link_guard();
