-- Who gives rights, opens doors and sets rules is in the audit, too: one entry for each row, in the transaction that
-- changes it. Columns that an entry may tell are named one by one; of all others it says at most that they changed, so
-- that neither a secret nor a digest of one gets there. docs/adr/0016-audit-chain.md

create function audit_setting() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    told constant text[] := tg_argv[0];
    passed_over constant text[] := tg_argv[1];
    old_row constant jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
    new_row constant jsonb := case when tg_op = 'DELETE' then old_row else to_jsonb(new) end;
    changed constant text[] := array(
        select key from jsonb_each(new_row) where value is distinct from old_row -> key and key <> all (passed_over) order by key);
    detail jsonb;
begin
    if tg_op = 'UPDATE' and changed = '{}' then
        return null;
    end if;
    select jsonb_build_object('change', lower(tg_op), 'rows', 1,
                              'row', coalesce(jsonb_object_agg(key, audit_shown(key, value)), '{}'))
      into detail from jsonb_each(new_row) where key = any (told);
    if tg_op = 'UPDATE' then
        detail := detail || jsonb_build_object('columns', changed, 'was', (
            select coalesce(jsonb_object_agg(key, audit_shown(key, value)), '{}') from jsonb_each(old_row)
             where key = any (told) and key = any (changed)));
    end if;
    perform audit_enter(
        coalesce(nullif(current_setting('sojourn.acting', true), ''), '{}')::jsonb
        || jsonb_build_object('kind', 'change', 'fields', jsonb_build_array(tg_table_name), 'detail', detail));
    return null;
end $$;

create function audit_shown(name text, value jsonb) returns jsonb language sql immutable as $$
    -- of an address the host alone: its path, query or user may be a secret of the receiver
    select case when name = 'url' then to_jsonb(substring(value #>> '{}' from '^[A-Za-z]+://(?:[^@/?#]*@)?([^/?#]+)')) else value end
$$;

create function audit_settings_of(of regclass, told text[], passed_over text[] default '{}') returns void language plpgsql as $$
begin
    execute format('create trigger audit_setting after insert or update or delete on %s for each row'
                   ' execute function audit_setting(%L, %L)', of, told, passed_over);
end $$;
comment on function audit_settings_of is
    'Let every change of a setting be entered with the columns `told`; a change of those `passed_over` alone is none.';

select audit_settings_of(of::regclass, told::text[], passed_over::text[]) from (values
    -- who may what; each login moves the step of its code, each use of a key its time
    ('account', '{account_id,name,display_name,roles,stores,disabled_at}', '{totp_step}'),
    ('api_key', '{key_no,prefix,name,roles,stores,owner_id,ends_at,revoked_at,replaced_by}', '{last_used_at}'),
    -- who is told, and who may tell
    ('webhook_subscription', '{subscription_id,url,event_types,paused_at,removed_at}', '{dropped}'),
    ('webhook_sender', '{source}', '{heard_at}'),
    -- what is done by itself
    ('message_template', '{template,purpose,quiet_days,cap_count,cap_days,retired}', '{}'),
    ('alert_rule', '{rule,operator,enabled}', '{}'),
    ('store_alert_rule', '{rule_no,store_no,kind,zone_no,opens_at,clears_at,for_s,removed_at}', '{since}'),
    ('segment', '{segment_no,name,removed_at}', '{}'),
    ('cue_policy', '{store_no,version}', '{}'),
    ('cue_trial', '{trial_no,store_no,name,begun_at,ended_at}', '{}'),
    ('exclusion_change', '{change_no,store_no,reason}', '{}'),
    ('note_choice', '{list,word,feeling,retired}', '{}')) as settings (of, told, passed_over);
