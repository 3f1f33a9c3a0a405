-- A promise that was put off and is overdue by its new date is broken again, and alerts again: from now on the key of
-- such an alert has the date beside the follow-up. Alerts of before are of the date that they cite.

update alert set evidence_key = evidence_key || ' ' || (cited ->> 'at')
  from (select alert_id, jsonb_array_elements(evidence) as cited from alert where rule = 'promise_overdue') of_alert
 where of_alert.alert_id = alert.alert_id and cited ->> 'id' = alert.evidence_key;
