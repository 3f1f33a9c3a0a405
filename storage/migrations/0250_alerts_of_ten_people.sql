-- Limits and log tell of no single person (core/metrics/alerts.py): waits go in steps, counts of people from ten on, and
-- what was told of fewer is no longer in the log.
create function pg_temp.wait_step(wait_s double precision) returns double precision language sql as $$
    select max(step_s)::double precision
      from unnest(array[0, 60, 120, 180, 300, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200]) step_s
     where step_s <= greatest(wait_s, 0)
$$;
update store_alert alert set value = pg_temp.wait_step(value), worst = pg_temp.wait_step(worst)
  from store_alert_rule rule where rule.rule_no = alert.rule_no and kind = 'queue_wait';
-- which of them were of an hour of fewer than ten is not known any more: the limit that was passed is left
update store_alert alert set value = least(value, opens_at), worst = least(worst, opens_at)
  from store_alert_rule rule where rule.rule_no = alert.rule_no and kind = 'unusual_dwell';
delete from store_alert alert using store_alert_rule rule
 where rule.rule_no = alert.rule_no and kind = 'occupancy' and value < 10;

update store_alert_rule set opens_at = greatest(pg_temp.wait_step(opens_at), 60),
       clears_at = least(pg_temp.wait_step(clears_at), pg_temp.wait_step(greatest(pg_temp.wait_step(opens_at), 60) - 1))
 where kind = 'queue_wait';
update store_alert_rule set opens_at = greatest(opens_at, 10), clears_at = greatest(clears_at, 9)
 where kind = 'occupancy';
