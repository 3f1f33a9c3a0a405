-- A cue that offers something names the order that it speaks of.
alter table cue_log add column order_event uuid; -- customer_event.event_id; null: the cue speaks of none
